"""The usual fine-tuning in PyTorch: torchvision's Inception-v3 with the given weights, on the folders that measure.mjs lays out.

    python fine_tune.py DATA WEIGHTS OUTPUT SEED EPOCHS SIZE

The recipe is that of PyTorch's tutorial on transfer learning (https://pytorch.org/tutorials/beginner/transfer_learning_tutorial.html): SGD with
momentum 0.9, a tenth of the rate after each third of the epochs (the tutorial: 7 of 25), random resized crops and mirroring, the epoch with the best
validation accuracy. Its rate of 0.001 is for batches of 4; here they have 32, and the rate is 8 times that. As fast as PyTorch goes on a CPU: bfloat16 by
autocast, channels_last, two processes that load. WEIGHTS is what `inception export --to torchvision` writes; the network's input is in [0, 1], and
its average pools leave out their padding, as the weights were trained. Writes OUTPUT/predictions.jsonl.
"""
import copy
import functools
import json
import pathlib
import sys
import time
import types

import torch
import torchvision
from safetensors.torch import load_file
from torchvision import transforms

data, weights, output, seed, epochs, size = sys.argv[1:7]
data, output, seed, epochs, size = pathlib.Path(data), pathlib.Path(output), int(seed), int(epochs), int(size)
torch.manual_seed(seed)

# The module reads avg_pool2d from its own F; the rest of PyTorch keeps the usual one.
functional = types.SimpleNamespace(**vars(torch.nn.functional))
functional.avg_pool2d = functools.partial(torch.nn.functional.avg_pool2d, count_include_pad=False)
torchvision.models.inception.F = functional

train_transform = transforms.Compose(
    [transforms.RandomResizedCrop(size), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
)
test_transform = transforms.Compose([transforms.Resize((size, size)), transforms.ToTensor()])
loaders = {
    split: torch.utils.data.DataLoader(
        torchvision.datasets.ImageFolder(data / split, train_transform if split == "train" else test_transform),
        batch_size=32,
        shuffle=split == "train",
        num_workers=2,
    )
    for split in ("train", "val", "test")
}
classes = loaders["train"].dataset.classes

network = torchvision.models.inception_v3(weights=None, aux_logits=False, transform_input=False, init_weights=False)
state = {name: value for name, value in load_file(weights).items() if not name.startswith(("fc.", "AuxLogits."))}
missing, unexpected = network.load_state_dict(state, strict=False)
missing = [name for name in missing if not name.endswith("num_batches_tracked")]
if unexpected or missing != ["fc.weight", "fc.bias"]:
    raise SystemExit(f"{weights}: missing {missing}, unexpected {unexpected}")
network.fc = torch.nn.Linear(2048, len(classes))
network = network.to(memory_format=torch.channels_last)

optimizer = torch.optim.SGD(network.parameters(), lr=0.008, momentum=0.9)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=max(1, epochs // 3), gamma=0.1)
loss_of = torch.nn.CrossEntropyLoss()


def logits_of(images):
    with torch.autocast("cpu", torch.bfloat16):
        return network(images.to(memory_format=torch.channels_last)).float()



@torch.inference_mode()
def predict(split):
    network.eval()
    return torch.cat([logits_of(images).argmax(1) for images, _ in loaders[split]])


best, best_state = -1.0, None
start = time.time()
for epoch in range(epochs):
    network.train()
    for images, labels in loaders["train"]:
        optimizer.zero_grad()
        loss_of(logits_of(images), labels).backward()
        optimizer.step()
    scheduler.step()
    truth = torch.tensor(loaders["val"].dataset.targets)
    accuracy = (predict("val") == truth).float().mean().item()
    print(f"epoch {epoch + 1}: validation accuracy {accuracy:.4f}", file=sys.stderr, flush=True)
    if accuracy > best:
        best, best_state = accuracy, copy.deepcopy(network.state_dict())
seconds = time.time() - start
network.load_state_dict(best_state)
output.mkdir(parents=True, exist_ok=True)
with open(output / "predictions.jsonl", "w") as file:
    for (path, _), prediction in zip(loaders["test"].dataset.samples, predict("test")):
        file.write(json.dumps({"file": path, "label": classes[prediction]}) + "\n")
print(json.dumps({"seconds": seconds, "torch": torch.__version__, "torchvision": torchvision.__version__}))
