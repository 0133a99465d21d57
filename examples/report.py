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
import figures

networks = ["mini_scenes", "mini_objects"]
layers = ["layer2", "layer3", "layer4"]
probe = "mini"
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
found = dissection.compare(list(runs.values()))
by_iou = found.comparisons["iou"]
print(by_iou.distinct.to_string(index=False))

# %%
for name in networks:
    here = units[units["network"] == name]
    detectors = here[here["detector"]]
    print(
        f"{name}: {len(detectors)} of {len(here)} units are detectors, of "
        f"{detectors['label'].nunique()} concepts"
    )

# %% [markdown]
# ## Which concepts many units share
#
# Concepts carried by more than 3 units, layer by layer, the networks side by side.

# %%
print(by_iou.frequent.set_index(["layer", "concept"]).loc[layers].to_string())

# %% [markdown]
# ## Which concepts both detect, and which only one

# %%
detected = units[units["detector"]].groupby("network")["label"].agg(set)
both = set.intersection(*detected)
print(f"detected by both: {len(both)}: {', '.join(sorted(both))}")
alone = by_iou.only[by_iou.only["layer"] == "all layers"]
for network, part in alone.groupby("network", sort=False):
    names = ", ".join(f"{row.concept} ({row.units})" for row in part.head(12).itertuples())
    print(f"only {network} detects {len(part)}: {names}")

# %% [markdown]
# ## What changes with depth
#
# The share of each category among the detectors of a layer.

# %%
table = by_iou.detectors[by_iou.detectors["category"] != "all"]
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
for check in found.crosschecks:
    table = check.agreement
    table = table[(table["group"] == "all") & (table["layer"] == "all layers")]
    for row in table.itertuples():
        print(
            f"{check.iou.name}  {row.measure:24}{row.value:8.3f}   "
            f"chance {row.low:.3f} to {row.high:.3f}"
        )

# %% [markdown]
# ## Figures
#
# One of those that `dissect-figures results/example/mini_scenes results/example/mini_objects
# --out results/example/figures` draws, which also makes a page of everything with `--report`.

# %%
drawn = figures.draw(list(runs.values()), ["distinct"], out=out / "figures", formats=["png"])
print(*drawn)
