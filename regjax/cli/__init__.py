"""The commands: `regjax train`, `predict`, `compare`, `sweep`, `gallery`. Flags live here and nowhere below."""
