import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from dissection.clip.measures import top_images
from dissection.clip.scoring import score
from dissection.clip.similarity import SIMILARITIES

NAMES = list(SIMILARITIES)
N, M, U, D = 300, 70, 5, 16


def features(seed=0, dtype=torch.float32, images=N, concepts=M):
    draw = torch.Generator().manual_seed(seed)
    shared = torch.randn(1, D, generator=draw)
    rows = [
        torch.nn.functional.normalize(shared + torch.randn(n, D, generator=draw), dim=1)
        for n in (images, concepts)
    ]
    activations = (10 * rows[0] @ rows[1][:U].T + torch.randn(images, U, generator=draw)).clamp(
        min=0
    )
    return rows[0].to(dtype), rows[1].to(dtype), activations.to(dtype)


class Largest(TorchDispatchMode):
    """Notes the size of the largest new array."""

    size = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for array in result if isinstance(result, tuple | list) else [result]:
            if isinstance(array, torch.Tensor) and array._base is None:
                self.size = max(self.size, array.untyped_storage().nbytes())
        return result


@pytest.mark.parametrize("budget", [1 << 30, 150_000, 20_000])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 2e-4)], ids=str
)
@pytest.mark.parametrize("name", NAMES)
def test_blocks_of_concepts_change_nothing(name, dtype, tolerance, budget):
    images, texts, activations = features(dtype=dtype)
    direct = SIMILARITIES[name](images @ texts.T, activations)
    streamed = score(images, texts, activations, name, budget=budget * dtype.itemsize // 4)
    torch.testing.assert_close(streamed, direct, rtol=tolerance, atol=tolerance)
    assert torch.equal(streamed.argmax(1), direct.argmax(1))


@pytest.mark.parametrize("name", NAMES)
def test_no_array_exceeds_the_budget(name, monkeypatch):
    images, texts, activations = features(images=400, concepts=4000)
    budget = 400_000
    # a mode sees the operations of its own thread only
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    with Largest() as largest:
        score(images, texts, activations, name, budget=budget, keep=budget)
    matrix = 400 * 4000 * 4
    assert 0 < largest.size <= max(budget, 4000 * D * 4)
    assert largest.size < matrix / 10


@pytest.mark.parametrize(("name", "passes"), [("soft_wpmi", 2), ("cosine", 1)])
def test_progress_counts_to_the_end(name, passes):
    calls = []
    score(*features(), name, budget=100_000, progress=lambda *call: calls.append(call))
    done, totals = zip(*calls, strict=True)
    assert len(calls) > passes
    assert list(done) == sorted(set(done))
    assert set(totals) == {passes * M}
    assert done[-1] == passes * M


@pytest.mark.parametrize("keep", [0, N * 31 * 4, N * M * 4, 1 << 30])
@pytest.mark.parametrize("name", ["soft_wpmi", "wpmi"])
def test_scores_kept_between_passes_change_nothing(name, keep):
    images, texts, activations = features()
    direct = SIMILARITIES[name](images @ texts.T, activations)
    kept = score(images, texts, activations, name, budget=100_000, keep=keep)
    torch.testing.assert_close(kept, direct, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("name", NAMES)
def test_threads_change_nothing(name, monkeypatch):
    results = []
    for threads in (1, 2, 5):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        results.append(score(*features(dtype=torch.float64), name, budget=2_000_000))
    for result in results[1:]:
        torch.testing.assert_close(result, results[0], rtol=1e-9, atol=1e-9)


def test_number_of_threads_is_as_before():
    def stop(done, total):
        raise KeyboardInterrupt

    before = torch.get_num_threads()
    score(*features())
    assert torch.get_num_threads() == before
    with pytest.raises(KeyboardInterrupt):
        score(*features(), budget=100_000, progress=stop)
    assert torch.get_num_threads() == before


def test_soft_wpmi_is_the_default():
    assert torch.equal(score(*features()), score(*features(), "soft_wpmi"))


@pytest.mark.parametrize("k", [1, 3, 8, 11, 12, 20])
def test_top_images_are_those_of_a_stable_sort(k):
    draw = torch.Generator().manual_seed(k)
    activations = torch.randint(0, 5, (12, 150), generator=draw).float()
    activations[:, 50:] += torch.rand(12, 100, generator=draw)
    want = activations.sort(dim=0, descending=True, stable=True).indices[:k].t()
    assert torch.equal(top_images(activations, k), want)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"budget": 100}, r"budget of 100 bytes does not hold one concept; .* at least \d+"),
        ({"similarity": "cosin"}, "unknown similarity 'cosin', nearest: cosine"),
        ({"text_features": torch.rand(M, D + 1)}, "have 16 features and text features 17"),
        ({"image_features": torch.rand(N + 1, D)}, "have 301 images and activations 300"),
        ({"text_features": torch.full((M, D), torch.nan)}, "text features .* concept 0, feature 0"),
        ({"image_features": torch.rand(N)}, "image features must be"),
    ],
)
def test_bad_arguments(change, text):
    names = ("image_features", "text_features", "activations")
    given = dict(zip(names, features(), strict=True)) | change
    with pytest.raises(ValueError, match=text):
        score(**given)
