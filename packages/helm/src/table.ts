import type { Entry } from "./command.ts";

const PLUGINS = "plugins are programs of their own; what they do is in this program or not here";

/** Every word of the command line. */
export const table: readonly Entry[] = [
  { name: "create", summary: "Create a new chart with the given name", load: () => import("./commands/create.ts") },
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
];
