import type { ClassifierDescription } from '../../protocol/classes-api';
import type { MethodDescription } from '../../protocol/engine-api';

const DEFECTS = {
  none: 'Good images alone.',
  optional: 'Good images; defective ones with masks where the options ask for them.',
  required: 'Good images and defective ones with masks.',
};
const TAUGHT = {
  none: 'Its good images alone are used.',
  optional: 'Images of defects, with masks where there are some; without any image it judges by text alone.',
  required: 'Images of defects are needed too.',
};
const STANDS = {
  clip: 'It stands on a CLIP.',
  backbone: 'It stands on layers of the backbone.',
  pixels: 'It sees the pixels; no backbone takes part.',
};

/** What a method wants before it can be fitted, in words. */
export function needsOf(method: MethodDescription | ClassifierDescription): string {
  if (!('defects' in method.needs)) return classifierNeeds(method);
  const { support, defects, leastGoodImages } = method.needs;
  return [
    support
      ? `A support set: classes with their words, up to ten images of each. ${TAUGHT[defects]}`
      : DEFECTS[defects],
    leastGoodImages ? `At least ${leastGoodImages} good.` : '',
    STANDS[method.standsOn],
  ].join(' ');
}

function classifierNeeds({ needs, standsOn }: ClassifierDescription): string {
  const images = 'Labelled images of two classes or more.';
  if (standsOn === 'clip' || !needs.architectures) return `${images} ${STANDS[standsOn]}`;
  return `${images} Weights of one of these architectures: ${needs.architectures.join(', ')}.`;
}
