"""The commands `regjax train`, `predict`, `compare`, `sweep` and `gallery`. Only this room uses flags."""
