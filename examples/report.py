# %% [markdown]
# # What have two networks learned?
#
# Two small ResNet-18s of this project, one trained to name scenes and one to name objects, are
# dissected with both labelers; then the tables are loaded with pandas and the statements of a
# report are made from them. For your own networks change the next cell: any name that
# `--model` takes will do, with `probe = "data/broden.h5"`.

# %%
from pathlib import Path

import pandas as pd

import dissection
from broden.mini import default_probe
from dissection.comparison.side_by_side import carried, detectors, distinct, only
from dissection.results.reading import read_all
from figures.drawing import save
from figures.inputs import read
from figures.kinds import distinct as distinct_concepts
from figures.options import Options

networks = ["mini_scenes", "mini_objects"]
layers = ["layer2", "layer3", "layer4"]
probe = default_probe()
out = Path("results/example")

# %% [markdown]
# ## Dissect
#
# One forward pass each; a second start finds the runs complete and leaves them alone.

# %%
runs = {
    name: dissection.dissect(name, layers, probe, method="both", out=out / name)
    for name in networks
}
units = pd.concat([run.units.assign(network=name) for name, run in runs.items()])
print(
    units[["network", "layer", "unit", "label", "category", "iou", "detector"]].head().to_string()
)

# %% [markdown]
# ## How many distinct concepts
#
# `concepts` counts the labels of all units, `unique_best` those of detectors (IoU > 0.04).

# %%
results = read_all([out / name for name in networks])
by_iou = [part for part in results if part.method == "iou"]
by_clip = [part for part in results if part.method == "clip"]
print(distinct(by_iou).to_string(index=False))

# %%
for name in networks:
    found = units[(units["network"] == name) & units["detector"]]
    here = units[units["network"] == name]
    print(
        f"{name}: {len(found)} of {len(here)} units are detectors, of "
        f"{found['label'].nunique()} concepts"
    )

# %% [markdown]
# ## Which concepts many units share
#
# Concepts carried by more than 3 units, layer by layer, the networks side by side.

# %%
table = carried(by_iou)
side_by_side = table.pivot_table(
    index=["layer", "concept"], columns="network", values="units", fill_value=0, sort=False
).astype(int)
frequent = side_by_side[side_by_side.max(axis=1) > 3]
print(frequent.loc[layers].to_string())

# %% [markdown]
# ## Which concepts both detect, and which only one

# %%
have = {part.name: set(part.units[part.units["detector"]]["label"]) for part in by_iou}
both = set.intersection(*have.values())
print(f"detected by both: {len(both)}: {', '.join(sorted(both))}")
alone = only(by_iou)
for network, part in alone[alone["layer"] == "all layers"].groupby("network", sort=False):
    names = ", ".join(f"{row.concept} ({row.units})" for row in part.head(12).itertuples())
    print(f"only {network} detects {len(part)}: {names}")

# %% [markdown]
# ## What changes with depth
#
# The share of each category among the detectors of a layer.

# %%
table = pd.concat([detectors(part) for part in by_iou])
table = table[table["category"] != "all"]
counts = table.pivot_table(
    index=["network", "layer"], columns="category", values="detectors", sort=False
)
print((counts.div(counts.sum(axis=1), axis=0) * 100).round(1).to_string())

# %%
for name in networks:
    first, last = (counts.loc[(name, layer)] for layer in (layers[0], layers[-1]))
    rising = (last / last.sum() - first / first.sum()).sort_values()
    print(
        f"{name}: from {layers[0]} to {layers[-1]} the detectors grow from {first.sum():.0f} to "
        f"{last.sum():.0f}; the share of {rising.index[-1]} rises most "
        f"({100 * rising.iloc[-1]:+.0f} points), that of {rising.index[0]} falls most "
        f"({100 * rising.iloc[0]:+.0f})"
    )

# %% [markdown]
# ## What CLIP says of the same units
#
# The second labeler needs no labelled pixels. Each number stands beside the 95% interval that
# shuffled units give.

# %%
for name, run in runs.items():
    check = pd.read_json(run.path / "crosscheck.json", typ="series")
    table = pd.DataFrame(check["agreement"])
    table = table[(table["group"] == "all") & (table["layer"] == "all layers")]
    for row in table.itertuples():
        print(f"{name}  {row.measure:24}{row.value:8.3f}   chance {row.low:.3f} to {row.high:.3f}")

# %% [markdown]
# ## Figures
#
# One of those that `python scripts/make_figures.py results/example/mini_scenes
# results/example/mini_objects --out results/example/figures` draws, which also makes a page of
# everything with `--report`.

# %%
inputs = read([run.path for run in runs.values()], lambda labelling: None)
for drawing in distinct_concepts.drawings(inputs, Options()):
    for path in save(drawing, out / "figures", ["png"]):
        print(path)
