"""Small changes of the kernels' text, one at a time, each of which the cases should notice.

A mutant that survives shows what no case tries, or a change that means the same. ``python -m
tests.cuda.mutate`` runs them.
"""
