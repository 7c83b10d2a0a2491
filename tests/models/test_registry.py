import pytest

from regjax.core.errors import InputError
from regjax.models import make_model, parse_model
from regjax.models.registry import MODELS, model_fields


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("mpl", {}, r"model 'mpl' is not known \(did you mean 'mlp'\?\)"),
        ("linear", {"widths": (3,)}, "model 'linear' has no 'widths'; accepted: none"),
        ("mlp", {"depth": 3}, "model 'mlp' has no 'depth'; accepted: widths, activation, skip, batch_norm, concrete"),
        ("mlp", {"widths": (0,)}, r"MLP: widths must be whole and >= 1, got \(0,\)"),
        ("mlp", {"widths": (2.5,)}, r"MLP: widths must be whole and >= 1, got \(2.5,\)"),
        ("mlp", {"widths": (4, 8), "skip": True}, r"MLP: skip needs neighbouring layers of one width, got .*\(4, 8\)"),
        ("mlp", {"activation": "rleu"}, r"MLP: activation 'rleu' is not known \(did you mean 'relu'\?\)"),
        ("resnet", {"norm": "layer"}, "ResNet: norm 'layer' is not known"),
        ("resnet", {"blocks": 0}, "ResNet: blocks must be whole and >= 1, got 0"),
        ("vit", {"heads": 3}, "ViT: heads must divide width 64, got 3"),
        ("mlp", {"task": "ranking"}, "task 'ranking' is not known"),
        ("mlp", {"num_outputs": 0}, "num_outputs must be >= 1, got 0"),
    ],
)
def test_make_model_errors(name, fields, message):
    with pytest.raises(InputError, match=message):
        make_model(name, **{"num_outputs": 2, **fields})


def test_models_from_text():
    from regjax.models import parse_model

    assert parse_model("mlp", num_outputs=3, widths=(4,)) == make_model("mlp", num_outputs=3, widths=(4,))
    made = parse_model("mlp(widths=(8, 8), skip=True)", num_outputs=3)
    assert made == make_model("mlp", num_outputs=3, widths=(8, 8), skip=True)
    for text, message in (
        ("mlp(skp=True)", r"mlp takes no argument 'skp' \(did you mean 'skip'\?\)"),
        ("mlp(8)", r"write NAME\(FIELD=VALUE, ...\)"),
        ("mpl(skip=True)", "did you mean 'mlp'"),
        ("mlp(widths=__import__('os'))", "is not accepted"),
        ("mlp(skip=True", "cannot be read"),
    ):
        with pytest.raises(InputError, match=message):
            parse_model(text, num_outputs=3)


def test_widths_in_the_text_are_one_number_or_several_but_not_given_twice():
    assert parse_model("cnn(widths=8, dense=4)", num_outputs=3) == make_model(
        "cnn", num_outputs=3, widths=(8,), dense=4
    )
    with pytest.raises(InputError, match="widths are given twice"):
        parse_model("mlp(widths=8)", num_outputs=3, widths=(4,))


@pytest.mark.parametrize("name", MODELS)
def test_every_listed_field_is_accepted_and_kept(name):
    default = make_model(name, num_outputs=2)
    fields = {field: getattr(default, field) for field in model_fields(name)}
    made = make_model(name, num_outputs=2, task="regression", **fields)
    assert made == default.clone(task="regression")
    assert {"parent", "name", "num_outputs", "task"}.isdisjoint(fields)
