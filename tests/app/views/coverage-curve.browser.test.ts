import { flushSync } from 'svelte';
import { describe, expect, it, vi } from 'vitest';
import { userEvent } from 'vitest/browser';
import CoverageCurve from '../../../src/app/views/CoverageCurve.svelte';
import { coverageRisk } from '../../../src/metrics/coverage';
import { accessibilityProblems, mounted } from '../../support/mounted.svelte';

// 140 images, the less sure the more often wrong.
const confidence = Array.from({ length: 140 }, (_, i) => 1 - i / 200);
const points = coverageRisk(
  confidence,
  confidence.map((_, i) => Number(i < 100 || i % 4 !== 0)),
);

function curve(threshold: number) {
  const onthreshold = vi.fn<(value: number) => void>();
  const { box, props } = mounted(CoverageCurve, { points, threshold, n: 140, onthreshold });
  const follow = (value: number) => {
    props.threshold = value;
    flushSync();
  };
  onthreshold.mockImplementation(follow);
  return { box, onthreshold, follow };
}
const readout = (box: HTMLElement) => box.querySelector('[aria-live]')!.textContent;

describe('CoverageCurve', () => {
  it('says what the threshold covers and how many of that are wrong', () => {
    const { box, follow } = curve(confidence[115]);
    expect(readout(box)).toBe('Covers 83 % of 140 images; 3.4 % of them wrong [0.9, 8.6].');
    // Between two confidences the same images are classified.
    follow(confidence[115] - 0.001);
    expect(readout(box)).toMatch(/^Covers 83 %/);
    follow(1.1);
    expect(readout(box)).toBe('Covers 0 % of 140 images; all are unknown.');
    expect(box.textContent).toContain('99 % right up to 74 % covered');
  });

  it('has a text alternative', () => {
    const label = curve(0.3).box.querySelector('svg')!.getAttribute('aria-label');
    expect(label).toBe(
      'Share of wrong classes over coverage, from 0.0 % of the surest to 7.1 % of all. At 0.300 it covers 100 % of 140 images; 7.1 % of them wrong [3.5, 12.7].',
    );
  });

  it('is dragged to the nearest coverage', () => {
    const { box, onthreshold } = curve(0.5);
    const svg = box.querySelector('svg')!;
    const { left, top, width } = svg.getBoundingClientRect();
    // The plot lies between the axis at 48 px and a margin of 12.
    const at = (coverage: number) => ({
      clientX: left + 48 + (width - 60) * coverage,
      clientY: top + 50,
      pointerId: 1,
    });
    svg.setPointerCapture = () => undefined;
    svg.dispatchEvent(new PointerEvent('pointermove', { ...at(0.2), bubbles: true }));
    expect(onthreshold).not.toHaveBeenCalled();
    svg.dispatchEvent(new PointerEvent('pointerdown', { ...at(0.5), bubbles: true }));
    svg.dispatchEvent(new PointerEvent('pointermove', { ...at(2), bubbles: true }));
    svg.dispatchEvent(new PointerEvent('pointerup', { ...at(2), bubbles: true }));
    svg.dispatchEvent(new PointerEvent('pointermove', { ...at(0.1), bubbles: true }));
    expect(onthreshold.mock.calls.flat()).toEqual([confidence[69], confidence[139]]);
  });

  it('steps from confidence to confidence by key and takes a number', async () => {
    const { box, onthreshold } = curve(confidence[20]);
    await userEvent.tab();
    await userEvent.keyboard('{ArrowRight}{ArrowRight}{ArrowLeft}');
    expect(onthreshold.mock.calls.flat()).toEqual([confidence[21], confidence[22], confidence[21]]);
    const number = box.querySelector<HTMLInputElement>('input[type=number]')!;
    await userEvent.fill(number, '0.75');
    await userEvent.tab();
    expect(onthreshold.mock.lastCall).toEqual([0.75]);
    expect(box.querySelector<HTMLInputElement>('input[type=range]')!.valueAsNumber).toBe(50);
    await userEvent.fill(number, '7');
    await userEvent.tab();
    expect(onthreshold.mock.lastCall).toEqual([0.75]);
  });

  it('asks for images where there are none', () => {
    const { box } = mounted(CoverageCurve, {
      points: [],
      threshold: 0.5,
      n: 0,
      onthreshold: () => undefined,
    });
    expect(box.textContent).toContain('No labelled image is classified yet.');
  });

  it('has nothing that axe objects to', async () => {
    expect(await accessibilityProblems(curve(0.5).box)).toEqual([]);
  });
});
