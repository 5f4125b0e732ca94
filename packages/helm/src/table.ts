import type { Entry } from "./command.ts";

const PLUGINS = "plugins are programs of their own; what they do is in this program or not here";

/** Every word of the command line. */
export const table: readonly Entry[] = [
  { name: "create", summary: "Create a new chart with the given name", load: () => import("./commands/create.ts") },
  { name: "lint", summary: "Examine a chart for possible issues", load: () => import("./commands/lint.ts") },
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
  { name: "template", summary: "Locally render templates", load: () => import("./commands/template.ts") },
  { name: "version", summary: "Print the version", load: () => import("./commands/version.ts") },
  { name: "plugin", summary: "Refused", refused: PLUGINS },
];
