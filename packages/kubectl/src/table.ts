import type { Entry } from "./command.ts";
import { createEntries } from "./generate/entries.ts";
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
  { name: "autoscale", load: () => import("./verbs/autoscale.ts") },
  { name: "create", load: () => import("./verbs/create-files.ts"), children: createEntries },
  { name: "delete", load: () => import("./verbs/delete.ts") },
  { name: "describe", load: () => import("./verbs/describe.ts") },
  { name: "explain", load: () => import("./verbs/explain.ts") },
  { name: "expose", load: () => import("./verbs/expose.ts") },
  { name: "get", load: () => import("./verbs/get/get.ts") },
  { name: "label", load: () => import("./verbs/label.ts") },
  { name: "patch", load: () => import("./verbs/patch.ts") },
  { name: "replace", load: () => import("./verbs/replace.ts") },
  {
    name: "rollout",
    children: [
      { name: "history", load: () => import("./verbs/rollout/history.ts") },
      { name: "pause", load: async () => ({ command: (await import("./verbs/rollout/change.ts")).pause }) },
      { name: "restart", load: async () => ({ command: (await import("./verbs/rollout/change.ts")).restart }) },
      { name: "resume", load: async () => ({ command: (await import("./verbs/rollout/change.ts")).resume }) },
      { name: "status", load: () => import("./verbs/rollout/status.ts") },
      { name: "undo", load: () => import("./verbs/rollout/undo.ts") },
    ],
  },
  { name: "run", load: () => import("./verbs/run.ts") },
  { name: "scale", load: () => import("./verbs/scale.ts") },
  {
    name: "set",
    children: [
      { name: "env", load: () => import("./verbs/set/env.ts") },
      { name: "image", load: () => import("./verbs/set/image.ts") },
      { name: "resources", load: async () => ({ command: (await import("./verbs/set/others.ts")).resources }) },
      { name: "selector", load: async () => ({ command: (await import("./verbs/set/others.ts")).selector }) },
      {
        name: "serviceaccount",
        aliases: ["sa"],
        load: async () => ({ command: (await import("./verbs/set/others.ts")).serviceaccount }),
      },
      { name: "subject", load: async () => ({ command: (await import("./verbs/set/others.ts")).subject }) },
    ],
  },
  { name: "top", refused: NODES },
  { name: "version", load: () => import("./verbs/version.ts") },
  { name: "wait", load: () => import("./verbs/wait.ts") },
];
