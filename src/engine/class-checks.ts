import { AppError } from '../base/errors';
import type { Classifier } from '../methods/classifier';
import type { LabelledSource } from '../protocol/classes-api';
import type { LoadedBackbone } from './backbones';

/** @throws fit/backbone */
export function requireArchitecture({ needs, title }: Classifier, { backbone }: LoadedBackbone): void {
  const known = needs.architectures;
  if (!known || known.some((start) => backbone.architecture.startsWith(start))) return;
  throw new AppError('fit/backbone', `${title} is about ${known.join(', ')}; this is ${backbone.title}`, {
    hint: 'Drop weights of that architecture, or choose another classifier.',
  });
}

/** @throws fit/classes for classes that nothing can be learnt from */
export function requireLabels(classes: readonly string[], images: readonly LabelledSource[]): void {
  const counts = classes.map((_, c) => images.filter(({ classIndex }) => classIndex === c).length);
  const empty = classes.filter((_, c) => !counts[c]);
  if (classes.length < 2)
    throw new AppError('fit/classes', `there is one class only${classes.length ? `, ${classes[0]}` : ''}`, {
      hint: 'Label images of a second class.',
    });
  if (empty.length)
    throw new AppError('fit/classes', `no image is labelled ${empty.join(', ')}`, {
      hint: 'Label images of these classes or leave the classes out.',
    });
  const classOf = new Map<string, number>();
  for (const { image, classIndex } of images) {
    const before = classOf.get(image.id);
    if (before !== undefined && before !== classIndex)
      throw new AppError(
        'fit/classes',
        `${image.name} has two labels: ${classes[before]} and ${classes[classIndex]}`,
        { hint: 'The same picture can have one class. Correct one of them.' },
      );
    classOf.set(image.id, classIndex);
  }
}
