import type { Classifier } from '../classifier';
import type { About, Citation } from '../contract';
import { HEAD_OPTIONS, POOLED, headOn } from '../kit/head-classifier';
import type { HeadOptions } from '../kit/head-classifier';
import { fineTune, madeUpHead, tunedLogits, tuningMemory } from '../kit/fine-tune';
import { batchOption, rateOption } from '../kit/training-options';
import type { OptionSpecs } from '../options';

export type BaselineOptions = HeadOptions & {
  readonly tuning: string;
  readonly epochs: number;
  readonly batch: number;
  readonly learningRate: number;
};

const OPTIONS: OptionSpecs<{
  tuning: string;
  steps: number;
  flips: boolean;
  epochs: number;
  batch: number;
  learningRate: number;
}> = {
  tuning: {
    kind: 'choice',
    default: 'frozen',
    choices: [
      { value: 'frozen', label: 'frozen' },
      { value: 'whole', label: 'fine-tuned' },
    ],
    label: 'Backbone',
    help: 'Frozen, only a linear head is trained, in seconds. Fine-tuned, everything is: minutes to hours without a GPU.',
  },
  ...HEAD_OPTIONS,
  epochs: {
    kind: 'number',
    default: 50,
    min: 1,
    max: 1000,
    integer: true,
    unit: 'epochs',
    label: 'Epochs of fine-tuning',
    help: 'How often each image is seen when the backbone is trained too.',
  },
  batch: batchOption(16),
  learningRate: rateOption(1e-4),
};

const FROZEN = headOn<BaselineOptions>(POOLED);

interface Named {
  readonly title: string;
  readonly architectures: readonly string[];
  readonly source: Omit<Citation, 'reference'>;
  readonly variant: string;
  readonly about: Pick<About, 'summary' | 'assumes'>;
}

/** A published network as SEM-CLIP's comparison has it: the head by default, all of it as an option. */
const baseline = ({ title, architectures, source, variant, about }: Named): Classifier<BaselineOptions> => ({
  title,
  source: {
    ...source,
    reference: `SEM-CLIP's second table names no variant and no settings; taken is ${variant}. A linear head on standardised frozen features is no fine-tuned network: its figures are not the paper's. Fine-tuning: AdamW, 0.0001 for the backbone and ten times that for the head, cosine, batch norms keep their statistics.`,
  },
  about: {
    ...about,
    fails: 'On defects that are small in their frame; fine-tuned, it learns a handful of images by heart.',
    cost: 'The backbone once for each image and each way of turning it over; fine-tuning takes three passes a step.',
  },
  options: OPTIONS,
  ...FROZEN,
  needs: { ...FROZEN.needs, architectures },
  refits: ({ tuning }) => tuning === 'frozen',
  memory(size, o) {
    const head = FROZEN.memory(size, o);
    if (o.tuning === 'frozen') return head;
    const tuning = tuningMemory(size, o);
    return {
      fitBytes: Math.max(head.fitBytes, tuning.fitBytes),
      stateBytes: head.stateBytes + tuning.stateBytes,
    };
  },
  async *fit(context, o) {
    if (context.trial && o.tuning !== 'frozen') return yield* fineTune(context, madeUpHead(context), o);
    const head = yield* FROZEN.fit(context, o);
    if (o.tuning === 'frozen') return head;
    context.remark('Fine-tuned: the whole backbone was trained.');
    return yield* fineTune(context, head, o);
  },
  classify: (graph, inputs, state, o) =>
    o.tuning === 'frozen' ? FROZEN.classify(graph, inputs, state, o) : { logits: tunedLogits(inputs, state) },
});

const VIT_PAPER = {
  authors: 'Dosovitskiy, A. et al.',
  title: 'An Image is Worth 16×16 Words: Transformers for Image Recognition at Scale',
  where: 'ICLR, 2021',
};

export const vit = baseline({
  title: 'ViT',
  architectures: ['vit-tiny-patch', 'vit-small-patch', 'vit-base-patch', 'vit-large-patch'],
  variant: 'ViT-B/16 at 224 px',
  source: VIT_PAPER,
  about: {
    summary: 'A transformer trained on photographs, with a linear head.',
    assumes: 'Its weights are dropped: vit_base_patch16_224 by timm names.',
  },
});

export const resnet101 = baseline({
  title: 'ResNet-101',
  architectures: ['resnet101'],
  variant: 'ResNet-101 at 224 px',
  source: {
    authors: 'He, K., Zhang, X., Ren, S., Sun, J.',
    title: 'Deep Residual Learning for Image Recognition',
    where: 'CVPR, 2016',
  },
  about: {
    summary: 'A residual network of 101 layers trained on photographs, with a linear head.',
    assumes: 'Its weights are dropped: resnet101 by timm or torchvision names.',
  },
});

export const r50vit = baseline({
  title: 'ResNet-50 + ViT',
  architectures: ['vit-base-r50', 'vit-small-r50'],
  variant: 'the hybrid R50+ViT-B/16 at 224 px',
  source: { ...VIT_PAPER, where: `${VIT_PAPER.where} (the hybrid)` },
  about: {
    summary: 'A transformer on the feature map of a ResNet-50, trained on photographs, with a linear head.',
    assumes: 'Its weights are dropped: vit_base_r50_s16_224 by timm names.',
  },
});

export const efficientnet = baseline({
  title: 'EfficientNet',
  architectures: ['efficientnet', 'tf-efficientnet'],
  variant: 'the built-in EfficientNet-Lite0, or B0 to B4 where they are dropped',
  source: {
    authors: 'Tan, M., Le, Q. V.',
    title: 'EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks',
    where: 'ICML, 2019',
  },
  about: {
    summary: 'A small convolutional network trained on photographs, with a linear head.',
    assumes: 'Nothing to drop: Lite0 ships with the app.',
  },
});
