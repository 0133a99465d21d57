"""What keeps a GPU's numbers those of the CPU."""

from contextlib import AbstractContextManager, nullcontext

import torch

__all__ = ["exact_convolutions"]


def exact_convolutions(device: torch.device) -> AbstractContextManager:
    """Keep the convolutions of a GPU from rounding their input to 10 bits, which is the default.

    Parameters
    ----------
    device : torch.device
        Where the network runs.

    Returns
    -------
    context manager
        In which they do not; other devices never do.
    """
    if device.type != "cuda":
        return nullcontext()
    cudnn = torch.backends.cudnn
    return cudnn.flags(cudnn.enabled, cudnn.benchmark, cudnn.deterministic, allow_tf32=False)
