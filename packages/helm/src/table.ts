import type { Command, Entry } from "./command.ts";

const PLUGINS = "plugins are programs of their own; what they do is in this program or not here";

const registry = (name: "login" | "logout") => async () => ({
  command: (await import("./commands/registry.ts"))[name] as Command,
});

const REGISTRY: readonly Entry[] = [
  { name: "login", summary: "Log in to a registry", load: registry("login") },
  { name: "logout", summary: "Log out from a registry", load: registry("logout") },
];

const definitions = (name: "diff" | "upgrade") => async () => ({
  command: (await import("./commands/crds.ts"))[name] as Command,
});

const CRDS: readonly Entry[] = [
  { name: "diff", summary: "Show what a chart would change in the cluster's definitions", load: definitions("diff") },
  { name: "upgrade", summary: "Bring the cluster's definitions to a chart's", load: definitions("upgrade") },
];

const dependency = (name: "build" | "update") => async () => ({
  command: (await import("./commands/dependency-update.ts"))[name] as Command,
});

const DEPENDENCY: readonly Entry[] = [
  {
    name: "list",
    aliases: ["ls"],
    summary: "List the dependencies of a chart",
    load: () => import("./commands/dependency-list.ts"),
  },
  { name: "build", summary: "Fetch the dependencies that the lock names", load: dependency("build") },
  { name: "update", aliases: ["up"], summary: "Fetch the newest dependencies that fit", load: dependency("update") },
];

const repository = (name: "add" | "list" | "remove" | "update") => async () => ({
  command: (await import("./commands/repo.ts"))[name] as Command,
});

const REPO: readonly Entry[] = [
  { name: "add", summary: "Note a chart repository", load: repository("add") },
  { name: "list", aliases: ["ls"], summary: "List chart repositories", load: repository("list") },
  { name: "remove", aliases: ["rm"], summary: "Forget chart repositories", load: repository("remove") },
  { name: "update", aliases: ["up"], summary: "Fetch what is new in chart repositories", load: repository("update") },
  { name: "index", summary: "Write the index of a folder of charts", load: () => import("./commands/repo-index.ts") },
];

const SEARCH: readonly Entry[] = [
  {
    name: "repo",
    summary: "Look for charts in the repositories that are noted",
    load: () => import("./commands/search-repo.ts"),
  },
  { name: "hub", summary: "Refused", refused: "no hub is asked; look in repositories by 'helm search repo'" },
];

const COMPLETION: readonly Entry[] = [
  ...["bash", "fish", "zsh"].map((shell) => ({
    name: shell,
    summary: `Print the script for ${shell}`,
    load: async () => ({ command: (await import("./commands/completion.ts")).completionCommand(shell) }),
  })),
  { name: "powershell", summary: "Refused", refused: "there is no script for this shell" },
];

/** Every word of the command line. */
export const table: readonly Entry[] = [
  { name: "crds", summary: "Custom resource definitions of charts", children: CRDS },
  { name: "create", summary: "Create a new chart with the given name", load: () => import("./commands/create.ts") },
  { name: "diff", summary: "Show what an upgrade would change", load: () => import("./commands/diff.ts") },
  {
    name: "explain",
    summary: "Explain a chart",
    children: [
      {
        name: "values",
        summary: "Show where each value is set and used",
        load: () => import("./commands/explain-values.ts"),
      },
    ],
  },
  {
    name: "get",
    summary: "Show what is kept of a release",
    children: ["all", "hooks", "manifest", "metadata", "notes", "values"].map((name) => ({
      name,
      summary: `Show the release's ${name}`,
      load: async () => ({ command: (await import("./commands/get.ts")).getCommand(name) }),
    })),
  },
  {
    name: "history",
    aliases: ["hist"],
    summary: "List the revisions of a release",
    load: () => import("./commands/history.ts"),
  },
  { name: "install", summary: "Install a chart", load: () => import("./commands/install.ts") },
  { name: "lint", summary: "Examine a chart for possible issues", load: () => import("./commands/lint.ts") },
  { name: "list", aliases: ["ls"], summary: "List releases", load: () => import("./commands/list.ts") },
  {
    name: "package",
    summary: "Package a chart directory into a chart archive",
    load: () => import("./commands/package.ts"),
  },
  { name: "search", summary: "Look for charts", children: SEARCH },
  {
    name: "show",
    aliases: ["inspect"],
    summary: "Show information of a chart",
    children: ["all", "chart", "crds", "readme", "values"].map((name) => ({
      name,
      summary: `Show the chart's ${name}`,
      load: async () => ({ command: (await import("./commands/show.ts")).showCommand(name) }),
    })),
  },
  { name: "pull", aliases: ["fetch"], summary: "Fetch charts", load: () => import("./commands/pull.ts") },
  { name: "push", summary: "Bring a packed chart to a registry", load: () => import("./commands/push.ts") },
  { name: "repo", summary: "Chart repositories", children: REPO },
  {
    name: "rollback",
    summary: "Bring a release back to an earlier revision",
    load: () => import("./commands/rollback.ts"),
  },
  { name: "status", summary: "Show what state a release is in", load: () => import("./commands/status.ts") },
  { name: "template", summary: "Locally render templates", load: () => import("./commands/template.ts") },
  { name: "test", summary: "Run the tests of a release", load: () => import("./commands/test.ts") },
  {
    name: "uninstall",
    aliases: ["del", "delete", "un"],
    summary: "Delete releases and what they have made",
    load: () => import("./commands/uninstall.ts"),
  },
  {
    name: "upgrade",
    summary: "Bring a release to another chart or values",
    load: () => import("./commands/upgrade.ts"),
  },
  { name: "version", summary: "Print the version", load: () => import("./commands/version.ts") },
  { name: "plugin", summary: "Refused", refused: PLUGINS },
  { name: "completion", summary: "Print scripts that complete helm's words in a shell", children: COMPLETION },
  { name: "__complete", summary: "What shells ask", load: () => import("./commands/complete.ts"), raw: true },
  {
    name: "dependency",
    aliases: ["dep", "dependencies"],
    summary: "Manage a chart's dependencies",
    children: DEPENDENCY,
  },
  { name: "env", summary: "Show the places and settings that are used", load: () => import("./commands/env.ts") },
  { name: "registry", summary: "Log in to registries", children: REGISTRY },
  {
    name: "verify",
    summary: "See that a packed chart is what somebody has signed",
    load: () => import("./commands/verify.ts"),
  },
];
