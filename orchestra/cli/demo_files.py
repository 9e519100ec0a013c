"""The small repository that `orchestra demo` makes: a package with tests, a manifest, and six prompts.

The prompts are for the `script` agent, which runs the shell and Python blocks of a prompt, so that the demo
needs no model. Each sleeps two seconds where a coding agent would think.
"""

from __future__ import annotations

from collections.abc import Mapping

REJECTED = "round-up-prices"
"""The task that breaks the tests."""

MANIFEST = """\
version: 1
defaults: {agent: script}          # runs the sh and python blocks of a prompt: the agent that needs no model
integrate: {verify: "python3 -m unittest -q"}
tasks:
  add-discount:
    claims: {write: [shop/price.py, tests/test_discount.py]}
  add-receipt:
    needs: [add-discount]          # it calls what add-discount writes
    claims: {write: [shop/receipt.py, tests/test_receipt.py]}
  add-slug:
    claims: {write: [shop/text.py, tests/test_slug.py]}
  add-initials:                    # writes the same file as add-slug: orchestra never runs the two at once
    claims: {write: [shop/text.py, tests/test_initials.py]}
  describe-prices:
    needs: [add-discount]
    claims: {write: [docs/prices.md], read: [shop/price.py]}
  round-up-prices:                 # breaks a test: it will be rejected, and nobody else is held up
    claims: {write: [shop/rounding.py]}
"""

README = """\
# A demo of orchestra

Six prompts in `prompts/` change this little package. `orchestra build` runs them side by side, each in a
worktree of its own, tests each result merged with the others, and lands what passes on `main`.
"""

PRICE = '''\
"""Prices, in cents."""

from shop.rounding import round_cents


def with_tax(cents: int, percent: float) -> int:
    """The price with tax."""
    return round_cents(cents * (1 + percent / 100))
'''

ROUNDING = '''\
"""Rounding of amounts."""


def round_cents(amount: float) -> int:
    """To the nearest cent."""
    return round(amount)
'''

TEXT = '''\
"""Words about articles."""


def title(text: str) -> str:
    """Each word with a capital."""
    return text.title()
'''

TEST_PRICE = """\
import unittest

from shop.price import with_tax


class PriceTest(unittest.TestCase):
    def test_with_tax(self) -> None:
        self.assertEqual(with_tax(1000, 19), 1190)
        self.assertEqual(with_tax(101, 10), 111)
"""

ADD_DISCOUNT = """\
# Add a discount to prices

`discounted(cents, percent)` in `shop/price.py`, with a test.

```sh
sleep 2
```

```python
from pathlib import Path

price = Path("shop/price.py")
price.write_text(price.read_text() + '''

def discounted(cents: int, percent: float) -> int:
    \"\"\"The price with a discount.\"\"\"
    return round_cents(cents * (1 - percent / 100))
''')
Path("tests/test_discount.py").write_text('''\\
import unittest

from shop.price import discounted


class DiscountTest(unittest.TestCase):
    def test_discounted(self) -> None:
        self.assertEqual(discounted(1000, 15), 850)
''')
```
"""

ADD_RECEIPT = """\
# Print a receipt

`receipt(items, percent)` in `shop/receipt.py` lists items with their discounted prices. It needs `discounted`,
which another task adds.

```sh
sleep 2
grep -q "def discounted" shop/price.py
```

```python
from pathlib import Path

Path("shop/receipt.py").write_text('''\\
\"\"\"Receipts.\"\"\"

from shop.price import discounted


def receipt(items: dict[str, int], percent: float) -> str:
    \"\"\"One line for each item.\"\"\"
    return "".join(f"{name}: {discounted(cents, percent) / 100:.2f}\\\\n" for name, cents in items.items())
''')
Path("tests/test_receipt.py").write_text('''\\
import unittest

from shop.receipt import receipt


class ReceiptTest(unittest.TestCase):
    def test_receipt(self) -> None:
        self.assertEqual(receipt({"tea": 1000}, 15), "tea: 8.50\\\\n")
''')
```
"""

ADD_SLUG = """\
# Make slugs for links

`slug(text)` in `shop/text.py`, with a test.

```sh
sleep 2
```

```python
from pathlib import Path

text = Path("shop/text.py")
text.write_text(text.read_text() + '''

def slug(text: str) -> str:
    \"\"\"The text as it stands in a link.\"\"\"
    return "-".join(text.lower().split())
''')
Path("tests/test_slug.py").write_text('''\\
import unittest

from shop.text import slug


class SlugTest(unittest.TestCase):
    def test_slug(self) -> None:
        self.assertEqual(slug("Green  Tea"), "green-tea")
''')
```
"""

ADD_INITIALS = """\
# Shorten names to initials

`initials(text)` in `shop/text.py`, with a test.

```sh
sleep 2
```

```python
from pathlib import Path

text = Path("shop/text.py")
text.write_text(text.read_text() + '''

def initials(text: str) -> str:
    \"\"\"The first letter of each word.\"\"\"
    return "".join(word[0].upper() for word in text.split())
''')
Path("tests/test_initials.py").write_text('''\\
import unittest

from shop.text import initials


class InitialsTest(unittest.TestCase):
    def test_initials(self) -> None:
        self.assertEqual(initials("green tea"), "GT")
''')
```
"""

DESCRIBE_PRICES = """\
# Describe the price functions

A page in `docs/prices.md` that lists what `shop/price.py` offers, discounts included.

```sh
sleep 2
mkdir -p docs
{ echo "# Prices"; echo; sed -n 's/^def \\([a-z_]*\\).*/- `\\1`/p' shop/price.py; } > docs/prices.md
```
"""

ROUND_UP = """\
# Always round up

A change that nobody checked against the tests: 101 cents with 10 % tax are 111, not 112.

```sh
sleep 2
sed -i.bak 's/return round(amount)/return int(amount) + 1/' shop/rounding.py && rm shop/rounding.py.bak
```
"""

FILES: Mapping[str, str] = {
    "README.md": README,
    ".gitignore": "__pycache__/\n",
    "orchestra.yaml": MANIFEST,
    "shop/__init__.py": "",
    "shop/price.py": PRICE,
    "shop/rounding.py": ROUNDING,
    "shop/text.py": TEXT,
    "tests/__init__.py": "",
    "tests/test_price.py": TEST_PRICE,
    "prompts/add-discount.md": ADD_DISCOUNT,
    "prompts/add-receipt.md": ADD_RECEIPT,
    "prompts/add-slug.md": ADD_SLUG,
    "prompts/add-initials.md": ADD_INITIALS,
    "prompts/describe-prices.md": DESCRIBE_PRICES,
    "prompts/round-up-prices.md": ROUND_UP,
}
"""Every file, by path."""
