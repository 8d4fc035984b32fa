/** timm: Inception-v3 with torchvision's names, Inception-v4 and the released Inception-ResNet-v2 with Cadene's. */
import { preprocessingPresets } from '../images/preprocess.ts';
import { inceptionResnetV2, inceptionV4 } from './cadene.ts';
import type { Dialect } from './dialect.ts';
import { moduleBookkeeping, moduleNames } from './names/modules.ts';
import { inceptionV3 } from './torchvision.ts';

export const timm: Dialect<'timm'> = {
  name: 'timm',
  title: 'timm',
  layout: 'torch',
  gamma: true,
  networks: {
    'inception-v3': {
      anchors: ['Mixed_7c.branch_pool.conv.weight'],
      ...moduleNames(inceptionV3),
      countPadding: true,
      auxiliaryHead: true,
      architecture: 'inception_v3',
      // Before timm 0.8, the name of a network said whose weights they were.
      legacyArchitectures: {
        tf_inception_v3: {},
        adv_inception_v3: {},
        gluon_inception_v3: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
      },
    },
    'inception-v4': {
      // Identical to Cadene's names: the two cannot be told apart.
      anchors: ['features.0.conv.weight', 'features.6.branch0.conv.weight'],
      ...moduleNames(inceptionV4),
      architecture: 'inception_v4',
    },
    'inception-resnet-v2-released': {
      anchors: ['conv2d_7b.conv.weight', 'classif.weight'],
      ...moduleNames((count) => [...inceptionResnetV2(count), ['logits', 'classif']]),
      // The crop fraction that timm evaluated it with.
      preprocessing: { crop: 0.8975 },
      architecture: 'inception_resnet_v2',
      legacyArchitectures: { ens_adv_inception_resnet_v2: {} },
    },
  },
  preprocessing: preprocessingPresets.inception,
  ignored: moduleBookkeeping,
  hub: {
    interpolations: {
      'pillow-bicubic': 'bicubic',
      'pillow-bilinear': 'bilinear',
      'pillow-nearest': 'nearest',
      'pillow-box': 'box',
      'pillow-hamming': 'hamming',
      'pillow-lanczos': 'lanczos',
      'tf-bilinear': 'bilinear',
      'tf-bilinear-corners': 'bilinear',
      bilinear: 'bilinear',
    },
    departsFrom({ protocol, crop, kernel }) {
      if (protocol !== 'timm')
        return `images are cut as TF-Slim does here (the central ${+(crop * 100).toFixed(2)}% of each side, stretched), and timm resizes the shorter side and cuts the centre`;
      if (!kernel.startsWith('pillow-'))
        return `images are resized by '${kernel}' here and by Pillow in timm`;
      return undefined;
    },
    usage(repository) {
      const name = repository === undefined ? 'local-dir:.' : `hf-hub:${repository}`;
      return `In Python:\n\n\`\`\`python\nimport timm\n\nmodel = timm.create_model('${name}', pretrained=True).eval()\n\`\`\``;
    },
  },
};
