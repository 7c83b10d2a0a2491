"""The benchmark cases: one module for each family, ours and the peers side by side.

Importing this imports neither JAX nor NumPy. A contender is set up in a process of its own by `cases.worker`, and
`cases.harness` asks all contenders of a case in turn, so that noise of the machine meets all of them alike.
"""
