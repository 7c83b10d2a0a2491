import jax
import jax.numpy as jnp

from regjax.training.compilations import CompilationCounter


def test_each_new_program_counts_once_and_only_inside():
    program = jax.jit(lambda x: x * 3 + 1)
    x, longer = jnp.ones(3), jnp.ones(4)
    with CompilationCounter() as counter:
        program(x)
        program(x)
        assert counter.count == 1
        program(longer)
    assert counter.count == 2
    assert counter.seconds > 0
    jax.jit(lambda x: x - 7)(x)
    assert counter.count == 2
    assert counter.describe() == f"2 programs compiled in {counter.seconds:.1f} s"


def test_an_error_inside_ends_the_counting():
    counter = CompilationCounter()
    try:
        with counter:
            raise KeyError
    except KeyError:
        jax.jit(lambda x: x - 11)(jnp.ones(2))
    assert counter.count == 0
