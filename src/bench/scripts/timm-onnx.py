"""Writes timm's Inception-v4 with random weights: as PyTorch exports it (both exporters), and its weights for `inception export`.

    pip install torch torchvision timm onnx onnxscript safetensors
    python src/bench/scripts/timm-onnx.py out/
    bin/inception export out/timm.safetensors -o out/inception.onnx
    node src/bench/scripts/onnx-files.mjs out/timm.onnx out/timm-dynamo.onnx out/inception.onnx
"""
import sys

import timm
import torch
from safetensors.torch import save_file

folder = sys.argv[1]
torch.manual_seed(0)
model = timm.create_model("inception_v4", pretrained=False).eval()
for layer in model.modules():  # Statistics as of a trained network, not those of a new one.
    if isinstance(layer, torch.nn.BatchNorm2d):
        layer.running_mean.uniform_(-0.1, 0.1)
        layer.running_var.uniform_(0.8, 1.2)
images = torch.rand(1, 3, 299, 299) * 2 - 1
save_file({name: tensor for name, tensor in model.state_dict().items() if not name.endswith("num_batches_tracked")}, f"{folder}/timm.safetensors")
torch.onnx.export(model, (images,), f"{folder}/timm.onnx", dynamo=False, opset_version=17, input_names=["images"], dynamic_axes={"images": {0: "n"}})
torch.onnx.export(model, (images,), f"{folder}/timm-dynamo.onnx", dynamo=True, external_data=False, dynamic_shapes=({0: torch.export.Dim("n")},))
