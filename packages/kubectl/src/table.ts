import type { Entry } from "./command.ts";
import { configEntries } from "./verbs/config/entries.ts";

const NODES = "it needs a node";

/** Every verb. Each is loaded when it is called. */
export const table: readonly Entry[] = [
  { name: "annotate", load: () => import("./verbs/annotate.ts") },
  { name: "api-resources", load: () => import("./verbs/api-resources.ts") },
  { name: "api-versions", load: () => import("./verbs/api-versions.ts") },
  { name: "apply", load: () => import("./verbs/apply.ts") },
  {
    name: "auth",
    children: [
      { name: "can-i", load: () => import("./verbs/auth/can-i.ts") },
      { name: "whoami", load: () => import("./verbs/auth/whoami.ts") },
    ],
  },
  { name: "cluster-info", load: () => import("./verbs/cluster-info.ts") },
  { name: "config", children: configEntries },
  { name: "create", load: () => import("./verbs/create-files.ts"), children: [] },
  { name: "delete", load: () => import("./verbs/delete.ts") },
  { name: "explain", load: () => import("./verbs/explain.ts") },
  { name: "get", load: () => import("./verbs/get/get.ts") },
  { name: "label", load: () => import("./verbs/label.ts") },
  { name: "patch", load: () => import("./verbs/patch.ts") },
  { name: "replace", load: () => import("./verbs/replace.ts") },
  { name: "scale", load: () => import("./verbs/scale.ts") },
  { name: "top", refused: NODES },
  { name: "version", load: () => import("./verbs/version.ts") },
  { name: "wait", load: () => import("./verbs/wait.ts") },
];
