"""Patches that each take one rule away from the product, and what requires that a test notices.

Rules are those of the design's sections 5 (when is a task fresh?) and 6 (who may run beside whom?). A patch is made
by breaking the rule by hand and keeping `git diff --full-index` below a header (see `patches`); with the whole ids
in it, `python -m tests.mutations --renew` can merge it with code that changed around it.
"""
