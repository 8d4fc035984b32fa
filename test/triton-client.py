"""Triton's own client, as it is on PyPI, against a server with the tests' colour model: python triton-client.py HOST:PORT"""
import asyncio
import sys

import numpy as np
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException

url = sys.argv[1]
client = triton.InferenceServerClient(url, concurrency=4)

assert client.is_server_live() and client.is_server_ready()
assert client.is_model_ready("colours") and client.is_model_ready("colours", "1")
assert not client.is_model_ready("nothing") and not client.is_model_ready("colours", "2")
assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
metadata = client.get_model_metadata("colours")
assert metadata["inputs"] == [{"name": "images", "datatype": "UINT8", "shape": [-1, 4, 4, 3]}], metadata
assert client.get_model_config("colours", "1")["max_batch_size"] == 64
assert client.get_model_repository_index() == [{"name": "colours", "version": "1", "state": "READY", "reason": ""}]

images = np.random.default_rng(1).integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)
sums = images.reshape(5, 16, 3).sum(axis=1).astype(np.float64)
expected = sums / sums.sum(axis=1, keepdims=True)


def asked(binary):
    tensor = triton.InferInput("images", list(images.shape), "UINT8")
    tensor.set_data_from_numpy(images, binary_data=binary)
    return [tensor]


def check(result):
    values = result.as_numpy("probabilities")
    assert values.dtype == np.float32 and values.shape == (5, 3), values
    np.testing.assert_allclose(values, expected, rtol=1e-5)


for binary in (True, False):
    check(client.infer("colours", asked(binary), request_id="7"))
    for binary_output in (True, False):
        outputs = [triton.InferRequestedOutput("probabilities", binary_data=binary_output)]
        check(client.infer("colours", asked(binary), outputs=outputs, model_version="1", timeout=5_000_000))
    for packed in ("gzip", "deflate"):
        check(
            client.infer(
                "colours",
                asked(binary),
                request_compression_algorithm=packed,
                response_compression_algorithm=packed,
            )
        )
assert client.infer("colours", asked(True), request_id="7").get_response()["id"] == "7"

for binary_output in (True, False):
    output = triton.InferRequestedOutput("probabilities", binary_data=binary_output, class_count=2)
    words = client.infer("colours", asked(True), outputs=[output]).as_numpy("probabilities")
    assert words.shape == (5, 2)
    for row, shares in zip(words, expected):
        for word, index in zip(row, np.argsort(-shares)):
            value, number, label = (word.decode() if isinstance(word, bytes) else word).split(":")
            assert (int(number), label) == (index, ["red", "green", "blue"][index]), word
            assert abs(float(value) - shares[index]) < 1e-6, word

for pending in [client.async_infer("colours", asked(True)) for _ in range(8)]:
    check(pending.get_result())

statistics = client.get_inference_statistics("colours")["model_stats"][0]
assert statistics["inference_stats"]["success"]["count"] > 0 and statistics["inference_count"] >= 5
assert client.get_inference_statistics()["model_stats"][0]["name"] == "colours"

for wrong, message in (
    (lambda: client.infer("nothing", asked(True)), "no model 'nothing'"),
    (lambda: client.get_model_metadata("nothing"), "no model 'nothing'"),
    (lambda: client.infer("colours", asked(True), sequence_id=3), "keep no sequences"),
    (lambda: client.load_model("colours"), "there is no POST /v2/repository/models/colours/load"),
):
    try:
        wrong()
    except InferenceServerException as error:
        assert message in error.message(), error
    else:
        raise AssertionError(f"no error: {message}")
client.close()


async def with_asyncio():
    async with triton_aio.InferenceServerClient(url) as other:
        assert await other.is_server_ready()
        for result in await asyncio.gather(*(other.infer("colours", asked(True)) for _ in range(8))):
            check(result)


asyncio.run(with_asyncio())
print("everything holds")
