import type { Entry } from "../../command.ts";

/** Words after `config`. */
export const configEntries: readonly Entry[] = [
  { name: "current-context", load: async () => ({ command: (await import("./contexts.ts")).currentContext }) },
  {
    name: "delete-cluster",
    load: async () => ({
      command: (await import("./contexts.ts")).deleteCommand(
        "clusters",
        "Delete the specified cluster from the kubeconfig",
      ),
    }),
  },
  {
    name: "delete-context",
    load: async () => ({
      command: (await import("./contexts.ts")).deleteCommand(
        "contexts",
        "Delete the specified context from the kubeconfig",
      ),
    }),
  },
  {
    name: "delete-user",
    load: async () => ({
      command: (await import("./contexts.ts")).deleteCommand("users", "Delete the specified user from the kubeconfig"),
    }),
  },
  {
    name: "get-clusters",
    load: async () => ({
      command: (await import("./contexts.ts")).listCommand("clusters", "Display clusters defined in the kubeconfig"),
    }),
  },
  { name: "get-contexts", load: async () => ({ command: (await import("./contexts.ts")).getContexts }) },
  {
    name: "get-users",
    load: async () => ({
      command: (await import("./contexts.ts")).listCommand("users", "Display users defined in the kubeconfig"),
    }),
  },
  { name: "rename-context", load: async () => ({ command: (await import("./contexts.ts")).renameContext }) },
  { name: "set", load: async () => ({ command: (await import("./set-entries.ts")).set }) },
  { name: "set-cluster", load: async () => ({ command: (await import("./set-entries.ts")).setCluster }) },
  { name: "set-context", load: async () => ({ command: (await import("./set-entries.ts")).setContext }) },
  { name: "set-credentials", load: async () => ({ command: (await import("./set-entries.ts")).setCredentials }) },
  { name: "unset", load: async () => ({ command: (await import("./set-entries.ts")).unset }) },
  {
    name: "use-context",
    aliases: ["use"],
    load: async () => ({ command: (await import("./contexts.ts")).useContext }),
  },
  { name: "view", load: () => import("./view.ts") },
];
