"""How anything is drawn: canvas, brush, patterns, colours, camera. Knows no thing and no scene."""
