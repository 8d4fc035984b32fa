/**
 * The auxiliary classifier of Inception-v3 (arXiv 1512.00567, figure 8, as TF-Slim and torchvision build it) on the
 * 17×17 grid. TF-Slim gives the same head to Inception-v4 and Inception-ResNet-v2; the paper draws none for them.
 */
import { type Auxiliary, avgPool, conv, fullyConnected, globalAvgPool, type Printed } from '../notation.ts';

export const auxiliaryHead = (after: string): Auxiliary => ({
  after,
  layers: {
    pooling: avgPool('5x5', 'stride 3 V'), // 5×5
    projection: conv('1x1', 128),
    conv: conv('5x5', 768, 'V'), // 1×1
    averagePooling: globalAvgPool(),
    logits: fullyConnected(),
  },
});

/** Of every network but Inception-v3. */
export const printedAuxiliary: Printed = {
  departures: { '': 'the paper draws none for this network; this is that of Inception-v3' },
};
