import type { About, Citation } from '../contract';

export const SEM_CLIP_SOURCE: Citation = {
  authors: 'Jin, Jiang, Lu, Liu, Chen, Gao, Sun, Zhuo',
  title:
    'SEM-CLIP: Precise Few-Shot Learning for Nanoscale Defect Detection in Scanning Electron Microscope Image',
  where: 'ICCAD 2024',
  reference:
    "The paper's equations; where it is silent, CLIP-AD's SDP+ (ByChelsea's code), which it builds on: losses, " +
    'temperature 100, enlarging, ln_post and projection of the V-V path. Different from the paper: transformation ' +
    "layers start at the encoder's own projection and add to it, the encoder's text map is added to the map, the loss " +
    'is taken at a quarter of the side, images are mirrored, what words say of a whole image counts as far as it is ' +
    "right on the support set's own images, and the class head's logits are divided by 3; each is an option. Without " +
    'images, texts alone tell defects: by the patches of the last level and the class token. Classes without images ' +
    'are never chosen by the class head.',
};

export const SEM_CLIP_ABOUT: About = {
  summary:
    'Learns defects and their classes from a few labelled images and prompts, on a CLIP; from prompts alone too.',
  assumes:
    'The encoder has learnt what the words mean in such images; masks show every defect of a support image.',
  fails:
    'Strange to the encoder, structures that it has no words for light up; a good image of each kind in the support ' +
    'set teaches them away. A defect much smaller than a patch is lost. Particles, films and residues are confused.',
  cost: 'Minutes of light training on features that are computed once. Inspection costs one pass of the encoder.',
};
