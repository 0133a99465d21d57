"""Dissect from Python: the same run as the command's, with tables as pandas data frames."""

import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from torch import nn

from broden.mini import MINI, located
from broden.probe import Probe, opened
from broden.system.progress import advancing
from dissection.config import NETWORKS, ClipConfig, Execution, IouConfig, labelers_of
from dissection.execution.job import Bar
from dissection.labelers import labelers
from dissection.networks.loading import Network, default_layers, load
from dissection.networks.preprocessing import Preprocessing
from dissection.networks.running import ready
from dissection.pipeline import run
from dissection.results.dissection import Dissection
from dissection.results.folder import RunFolder


def dissect(
    model: str | Network | nn.Module = NETWORKS[0],
    layers: str | Sequence[str] | None = None,
    probe: str | Path | Probe = MINI,
    *,
    method: str = "iou",
    out: str | Path | None = None,
    preprocessing: Preprocessing | None = None,
    limit: int | None = None,
    skip_bad: bool = False,
    config: IouConfig | None = None,
    clip: ClipConfig | None = None,
    execution: Execution | None = None,
) -> Dissection:
    """Find the concept of each unit of some layers, by labelled pixels, by CLIP, or by each.

    Without arguments it is the run of the command without options.

    Parameters
    ----------
    model : str, Network or nn.Module
        What `dissection.load` takes or returns, or any module that takes (N, 3, h, w) images. It is
        moved to the device and to channels_last in place.
    layers : str or sequence of str, optional
        Dotted names; ``*`` and ``?`` stand for parts of a name, ``LAYER:OUTPUT`` for one of several
        outputs, ``ATTENTION:heads`` for the heads of one. Without any, those that the registry has
        for a network of that name, else a few that are worth a first look.
    probe : str, Path or Probe
        A probe file, ``mini`` for the generated one, or for CLIP a folder of images; or what is
        open already.
    method : str
        ``iou`` (Network Dissection), ``clip`` (CLIP-Dissect) or ``both``, from one forward pass.
    out : str or Path, optional
        The run directory. Without one the results live as long as the returned object.
    preprocessing : Preprocessing, optional
        Of an nn.Module; ImageNet's at 224 pixels if not given.
    limit : int, optional
        Use the first images only, where ``probe`` is a file or folder.
    skip_bad : bool
        Leave out broken images, with a warning, where ``probe`` is a folder.
    config : IouConfig, optional
        What else determines the labels by IoU; the published values if not given.
    clip : ClipConfig, optional
        What determines those by CLIP; the small encoder of this package if not given.
    execution : Execution, optional
        Device, batch size, workers, progress bars.

    Raises
    ------
    ValueError, TypeError, OSError, ProbeSetError
        If anything given cannot be used; the message says what and why.
    """
    # an unknown method is said before anything is loaded
    labelers_of(method)
    execution = execution or Execution()
    folder = RunFolder(tempfile.mkdtemp(prefix="dissection-") if out is None else out)
    try:
        with _modes_kept(model):
            network = _network(model, preprocessing)
            probe = located(probe, execution.progress) if isinstance(probe, str) else probe
            with opened(probe, limit, skip_bad) as shown:
                made = labelers(method, config or IouConfig(), clip or ClipConfig(), shown)
                chosen = default_layers(network) if layers is None else layers
                bars = _bars(execution.progress)
                message = run(network, chosen, shown, folder, method, made, execution, bars)
        result = Dissection.read(folder.path, message)
    except BaseException:
        if out is None:
            shutil.rmtree(folder.path)
        raise
    if out is None:
        weakref.finalize(result, shutil.rmtree, folder.path)
    return result


def read(path: str | Path) -> Dissection:
    """Open a finished run.

    Parameters
    ----------
    path : str or Path
        Its directory.

    Raises
    ------
    ValueError
        If there is no complete run in it.
    """
    return Dissection.read(path)


def _network(model: str | Network | nn.Module, preprocessing: Preprocessing | None) -> Network:
    if isinstance(model, nn.Module):
        name = type(model).__name__
        module, fitted = ready(name, model, preprocessing or Preprocessing())
        return Network(name, module, fitted, "as given")
    if preprocessing is not None:
        raise ValueError("preprocessing goes with an nn.Module; a network by name has its own")
    if isinstance(model, Network):
        return model
    if isinstance(model, str):
        return load(model)
    raise TypeError(
        f"model must be a name, an nn.Module or what dissection.load returns, got "
        f"{type(model).__name__}; give the preprocessing of a module as preprocessing="
    )


@contextmanager
def _modes_kept(model: object) -> Iterator[None]:
    """Leave the modules of somebody's network in training or eval mode as they were."""
    module = model.module if isinstance(model, Network) else model
    parts = list(module.modules()) if isinstance(module, nn.Module) else []
    training = {part: part.training for part in parts}
    for part in parts:
        part.training = False
    try:
        yield
    finally:
        for part, mode in training.items():
            part.training = mode


def _bars(show: bool) -> Bar:
    def bar(text: str, images: int, done: int) -> AbstractContextManager[Callable[[int], object]]:
        return advancing(text, images, done, show)

    return bar
