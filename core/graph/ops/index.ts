/** All operators. Primitives have rules of their own; what is made of them needs none. */
export * from "./attention.js";
export * from "./cast.js";
export * from "./conv.js";
export type { Padding } from "./conv-as-product.js";
export * from "./elementwise.js";
export { constant, indices, input, parameter, scalar } from "./leaf.js";
export * from "./matmul.js";
export { concat, gather, oneHot, pad, slice, split } from "./movement.js";
export * from "./normalize.js";
export * from "./reduce.js";
export { reshape, transpose } from "./reshape.js";
export * from "./resize.js";
export { scan } from "./scan.js";
