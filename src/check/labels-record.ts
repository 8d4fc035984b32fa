/** `labels.json` of a run: the labels of its data that are probably wrong, with small images, for the dashboard. */
import { thumbnail } from '../data/thumbnail.ts';
import type { Checked } from './check-data.ts';
import { nameIn } from './words.ts';

const maxImages = 48;

/** What the dashboard reads: `LabelsRecord` of the records of a run. */
export async function labelsRecord({ check, all, indexOf }: Checked, classes: readonly string[]) {
  const found = check.labels?.images ?? [];
  const images = [];
  for (const { file, class: name, predicted, probability, trainedOn } of found.slice(0, maxImages)) {
    const { split, index } = all.at(indexOf(file));
    const image = await thumbnail(split.dataset, index);
    if (image === undefined) continue;
    images.push({
      index,
      label: classes.indexOf(name),
      predicted: classes.indexOf(predicted),
      probability,
      file: nameIn(check.source, file),
      trainedOn,
      image,
    });
  }
  const crossValidated = check.labels?.crossValidated ?? null;
  return {
    format: 1 as const,
    classes,
    found: found.length,
    crossValidated: crossValidated !== null,
    images,
  };
}
