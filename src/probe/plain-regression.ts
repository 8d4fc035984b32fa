/**
 * Softmax regression in plain code, where there is no engine: for hundreds of images in a page. The same minimisation, strengths and
 * folds as an engine's. Pure; also for browsers.
 */
import { type Regression, type RegressionData, regressionBy } from './softmax-regression.ts';
import { regressionInSpan } from './span-of-rows.ts';

export const plainRegression = (data: RegressionData): Regression => regressionInSpan(data, byRows);

function byRows(data: RegressionData): Regression {
  const { values, labels, classes } = data;
  const rows = labels.length;
  const features = values.length / rows;
  const size = classes * features;
  return regressionBy(
    async (point, share) => {
      const losses = new Float32Array(rows);
      const predicted = new Int32Array(rows);
      const weightGradient = new Float64Array(size);
      const biasGradient = new Float64Array(classes);
      const logits = new Float64Array(classes);
      for (let row = 0; row < rows; row++) {
        const from = row * features;
        let [best, largest] = [0, Number.NEGATIVE_INFINITY];
        for (let label = 0; label < classes; label++) {
          let sum = point[size + label] as number;
          for (let at = 0; at < features; at++)
            sum += (point[label * features + at] as number) * (values[from + at] as number);
          logits[label] = sum;
          if (sum > largest) [best, largest] = [label, sum];
        }
        const total = logits.reduce((sum, each) => sum + Math.exp(each - largest), 0);
        const label = labels[row] as number;
        losses[row] = Math.log(total) + largest - (logits[label] as number);
        predicted[row] = best;
        const part = share[row] as number;
        // What is held out costs no gradient.
        if (part === 0) continue;
        for (let other = 0; other < classes; other++) {
          const probability = Math.exp((logits[other] as number) - largest) / total;
          const difference = part * (probability - (other === label ? 1 : 0));
          biasGradient[other] = (biasGradient[other] as number) + difference;
          for (let at = 0; at < features; at++) {
            const target = other * features + at;
            weightGradient[target] =
              (weightGradient[target] as number) + difference * (values[from + at] as number);
          }
        }
      }
      return { losses, predicted, weightGradient, biasGradient };
    },
    { data, release: () => undefined },
  );
}
