"""What no honest owner can have written: the meaning of each noun, checked by whoever reads it.

Each noun has two functions, which return or raise `Absurd` with one sentence that names the value
and the rule. `check_…` needs nothing but the noun; the decoders call it. `check_…_of` holds the
noun against the reader's own portfolio; the readers call it. `means` bounds what a decision may
order by what the account is worth.
"""
