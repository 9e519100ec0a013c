"""How results land: audit and queue (pure), the line of commits, verification, advance, reconciliation."""
