/** Objects that are always written, with nothing in them or not. Others are pointers: `emptyDir: {}` says something. */
const DROPPED_EMPTY = new Set([
  "loadBalancer",
  "metadata",
  "resources",
  "source",
  "spec",
  "status",
  "strategy",
  "template",
  "updateStrategy",
]);

export const dropsEmpty = (field: string): boolean => DROPPED_EMPTY.has(field);
