"""The style of the page, as one sheet: light and dark, narrow and wide, on screen and on paper."""

from __future__ import annotations

SHEET = """
:root{color-scheme:light dark;--page:#fff;--ink:#1c2024;--quiet:#5b6470;--rule:#d8dde3;--panel:#f5f7f9;
--link:#0b57d0;--well:#1a7f37;--badly:#c62828;--stopped:#9a6700;--idle:#6e7781;
--agent:#8ab6f5;--check:#7fd0c2;--repair:#f4b26b;--review:#c9a5ee;--prepare:#c3cad2;--setup:#b3bcc6;
--capture:#a8b2bd;--verify:#9fd69f;--critical:#d4572a;--curve:#0b57d0;--queued:#b26a00;--hold:#8a4bb8}
@media (prefers-color-scheme:dark){:root{--page:#14181d;--ink:#e4e8ec;--quiet:#9aa5b1;--rule:#343c46;
--panel:#1c2229;--link:#8ab4f8;--well:#57c474;--badly:#ff7b72;--stopped:#e3b341;--idle:#9aa5b1;
--agent:#2f5f9e;--check:#226b60;--repair:#8a5518;--review:#634494;--prepare:#4a535e;--setup:#525d69;
--capture:#5b6672;--verify:#2f6e3b;--critical:#ff8a5c;--curve:#8ab4f8;--queued:#e3a23c;--hold:#c9a5ee}}
*{box-sizing:border-box}
html{scroll-padding-top:1rem}
body{margin:0 auto;max-width:76rem;padding:1rem 1.25rem 3rem;background:var(--page);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.5rem;margin:.5rem 0 .25rem}h2{font-size:1.2rem;margin:2.2rem 0 .6rem}
h3{font-size:.95rem;font-weight:600;margin:.6rem 0 .2rem}
a{color:var(--link)}code,pre{font:.86em/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
.skip{position:absolute;left:-99rem}.skip:focus{left:1rem;top:.5rem;background:var(--page);padding:.4rem}
.quiet,figcaption{color:var(--quiet)}
nav ul,.legend,.figures{display:flex;flex-wrap:wrap;gap:.3rem 1rem;list-style:none;margin:.6rem 0;padding:0}
.figures{gap:.6rem}.figures li{background:var(--panel);border:1px solid var(--rule);border-radius:.5rem;
padding:.45rem .8rem;min-width:7.5rem}.figures b{display:block;font-size:1.15rem}
.figures span{color:var(--quiet);font-size:.85rem}
.mark{display:inline-block;border:1px solid currentColor;border-radius:1rem;padding:0 .6rem;font-size:.82rem;
white-space:nowrap}.mark.well{color:var(--well)}.mark.badly{color:var(--badly);font-weight:600}
.mark.stopped{color:var(--stopped)}.mark.idle,.mark.open{color:var(--idle)}
figure{margin:0 0 1.2rem}.scroll{overflow-x:auto}
svg.chart{display:block;width:100%;min-width:42rem;height:auto;font:11px system-ui,sans-serif}
svg text{fill:var(--ink)}.tick{fill:var(--quiet)}.end{text-anchor:end}.middle{text-anchor:middle}
.grid{stroke:var(--rule);stroke-width:1}.label{pointer-events:none}
.attempt{fill:var(--panel);stroke:var(--rule)}.phase.prepare{fill:var(--prepare)}.phase.setup{fill:var(--setup)}
.phase.agent{fill:var(--agent)}.phase.check{fill:var(--check)}.phase.repair{fill:var(--repair)}
.phase.review{fill:var(--review)}.phase.capture{fill:var(--capture)}.phase.verify{fill:var(--verify)}
.phase.other{fill:var(--prepare)}.bad-frame{fill:none;stroke:var(--badly);stroke-width:2}
rect.critical{fill:var(--critical)}
.legend{font-size:.85rem}.swatch{display:inline-block;width:1rem;height:.8rem;margin-right:.35rem;
border-radius:2px;vertical-align:-1px}.swatch.prepare{background:var(--prepare)}.swatch.setup{background:var(--setup)}
.swatch.agent{background:var(--agent)}.swatch.check{background:var(--check)}.swatch.repair{background:var(--repair)}
.swatch.review{background:var(--review)}.swatch.capture{background:var(--capture)}
.swatch.verify{background:var(--verify)}.swatch.critical{background:var(--critical);height:.25rem;vertical-align:3px}
.swatch.ended-badly{border:2px solid var(--badly)}
.curve{fill:none;stroke:var(--curve);stroke-width:1.6}.curve.queued{stroke:var(--queued);stroke-dasharray:5 3}
.curve.memory{stroke:var(--hold)}.area{fill:var(--agent);opacity:.75}.dot{fill:var(--curve)}
.edge{fill:none;stroke:var(--quiet);stroke-width:1.2;opacity:.75}.edge.write-read{stroke-dasharray:6 3}
.edge.write-write,.edge.shared{stroke-dasharray:2 3}
.node{fill:var(--panel);stroke:var(--idle);stroke-width:1.5}.node.well{stroke:var(--well)}
.node.badly{stroke:var(--badly);stroke-width:2.5}.node.stopped{stroke:var(--stopped);stroke-dasharray:4 2}
table{border-collapse:collapse;margin:.6rem 0;font-size:.9rem}caption{text-align:left;color:var(--quiet);
padding:.2rem 0}th,td{border-bottom:1px solid var(--rule);padding:.25rem .7rem .25rem 0;text-align:left;
vertical-align:top;overflow-wrap:normal}tbody th{font-weight:500}.number{text-align:right;
font-variant-numeric:tabular-nums;white-space:nowrap}
details.task{border:1px solid var(--rule);border-radius:.5rem;margin:.4rem 0;padding:0 .8rem;
content-visibility:auto;contain-intrinsic-size:auto 2.6rem}details.task.bad{border-color:var(--badly)}
summary{cursor:pointer;padding:.45rem 0}summary .name{font-weight:600;margin:0 .6rem}
.why{display:block;color:var(--badly)}details[open]>.inner{margin-bottom:.8rem}
dl{display:grid;gap:.2rem 1rem;margin:.3rem 0}dl>div{display:grid;grid-template-columns:9rem 1fr;gap:.2rem 1rem}
dt{color:var(--quiet)}dd{margin:0}
pre{background:var(--panel);border:1px solid var(--rule);border-radius:.4rem;padding:.6rem .8rem;
overflow:auto;max-height:28rem;white-space:pre}
.diff .added{color:var(--well)}.diff .removed{color:var(--badly)}.diff .place{color:var(--link)}
.diff .file{font-weight:700}
.only{margin:.4rem 0}.only:has(input:checked)~details.good{display:none}
footer{margin-top:3rem;color:var(--quiet);font-size:.85rem;border-top:1px solid var(--rule)}
@media (max-width:40rem){body{padding:.6rem .8rem 2rem;font-size:15px}dl>div{grid-template-columns:1fr;gap:0}
.figures li{flex:1 1 40%}}
@media print{.scroll{overflow:visible}svg.chart{min-width:0}.only,nav,.skip{display:none}}
"""
"""Only this sheet applies: the page's policy names its digest. So no attribute of an element may hold style."""
