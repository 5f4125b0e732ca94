/** What other programs of the cluster's users need of kubectl: connections by flags, discovery, objects, patches. */
export { globalFlags } from "./global-flags.ts";
export type { Io } from "./io.ts";
export { patchSchema } from "./patch/schema-of.ts";
export { threeWayPatch } from "./patch/three-way.ts";
export { JsonPathTemplate } from "./print/jsonpath.ts";
export * from "./request/objects.ts";
export { openPodLog } from "./request/pod-log.ts";
export { apiVersionOfMapping, collectionPathOf, type Mapping, objectPathOf } from "./resource/discovery.ts";
export { Session } from "./session.ts";
export { TABLE_ACCEPT, tableLines } from "./verbs/get/rows.ts";
export { type Gone, waitUntilGone } from "./verbs/wait-gone.ts";
