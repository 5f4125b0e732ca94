import { listAt, textAt } from "@boxship/api";
import { type Command, defineCommand } from "../../command.ts";
import { editable, hasEntry, removeEntry, setEntry, writeConfig } from "../../config/edit-config.ts";
import { configEntry, type Section } from "../../config/kubeconfig.ts";
import { Refusal, throwAll } from "../../failure.ts";
import { bool, str } from "../../flags.ts";
import { alignRows } from "../../print/table.ts";

export const currentContext = defineCommand({
  usage: "[flags]",
  summary: "Display the current-context",
  flags: {},
  async run(session) {
    const name = textAt(await session.config(), "current-context");
    if (name === "") throw new Refusal("current-context is not set");
    session.print(name);
  },
});

export const getContexts = defineCommand({
  usage: "[(-o|--output=)name)]",
  summary: "Describe one or many contexts",
  flags: { "no-headers": bool(), output: str("", { short: "o" }) },
  async run(session, { flags, operands }) {
    if (!["", "name"].includes(flags.output)) {
      throw new Refusal(
        `--output ${flags.output} is not available in kubectl config get-contexts; resetting to default output format`,
      );
    }
    const config = await session.config();
    const all = listAt(config, "contexts").map((one) => textAt(one, "name"));
    const names = operands.length === 0 ? all : operands;
    const errors: unknown[] = [];
    const rows: string[][] = [];
    for (const name of names) {
      const context = configEntry(config, "contexts", name);
      if (context === undefined) errors.push(new Refusal(`context ${name} not found`));
      else {
        const mark = textAt(config, "current-context") === name ? "*" : "";
        rows.push([mark, name, textAt(context, "cluster"), textAt(context, "user"), textAt(context, "namespace")]);
      }
    }
    if (flags.output === "name") for (const row of rows) session.print(row[1] ?? "");
    else {
      const header = ["CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE"];
      session.io.stdout.write(alignRows(flags["no-headers"] ? rows : [header, ...rows]));
    }
    throwAll(errors);
  },
});

function onlyName(operands: readonly string[]): string {
  const [name = ""] = operands;
  if (operands.length !== 1) throw new Refusal(`Unexpected args: [${operands.join(" ")}]`);
  return name;
}

export const useContext = defineCommand({
  usage: "CONTEXT_NAME",
  summary: "Set the current-context in a kubeconfig file",
  flags: {},
  async run(session, { operands }) {
    const name = onlyName(operands);
    if (configEntry(await session.config(), "contexts", name) === undefined) {
      throw new Refusal(`no context exists with the name: ${JSON.stringify(name)}`);
    }
    const file = await editable(session, (config) => textAt(config, "current-context") !== "");
    file.value["current-context"] = name;
    await writeConfig(file);
    session.print(`Switched to context ${JSON.stringify(name)}.`);
  },
});

export const renameContext = defineCommand({
  usage: "CONTEXT_NAME NEW_NAME",
  summary: "Rename a context from the kubeconfig file",
  flags: {},
  async run(session, { operands }) {
    const [old = "", name = ""] = operands;
    if (operands.length !== 2) throw new Refusal(`Unexpected args: [${operands.join(" ")}]`);
    const config = await session.config();
    const file = await editable(session, hasEntry("contexts", old));
    const context = configEntry(config, "contexts", old);
    if (context === undefined)
      throw new Refusal(`cannot rename the context ${JSON.stringify(old)}, it's not in ${file.path}`);
    if (configEntry(config, "contexts", name) !== undefined) {
      throw new Refusal(
        `cannot rename the context ${JSON.stringify(old)}, the context ${JSON.stringify(name)} already exists in ${file.path}`,
      );
    }
    removeEntry(file.value, "contexts", old);
    setEntry(file.value, "contexts", name, (value) => Object.assign(value, context));
    if (textAt(file.value, "current-context") === old) file.value["current-context"] = name;
    await writeConfig(file);
    session.print(`Context ${JSON.stringify(old)} renamed to ${JSON.stringify(name)}.`);
  },
});

/** `get-clusters`, `get-users`. */
export function listCommand(section: Section, summary: string): Command {
  return defineCommand({
    usage: "[flags]",
    summary,
    flags: {},
    async run(session) {
      session.print("NAME");
      for (const entry of listAt(await session.config(), section)) session.print(textAt(entry, "name"));
    },
  });
}

/** `delete-cluster`, `delete-context`, `delete-user`. */
export function deleteCommand(section: Section, summary: string): Command {
  const word = section.slice(0, -1);
  return defineCommand({
    usage: "NAME",
    summary,
    flags: {},
    async run(session, { operands }) {
      const name = onlyName(operands);
      const file = await editable(session, hasEntry(section, name));
      if (!hasEntry(section, name)(file.value)) throw new Refusal(`cannot delete ${word} ${name}, not in ${file.path}`);
      if (section === "contexts" && textAt(file.value, "current-context") === name) {
        session.warn(
          'warning: this removed your active context, use "kubectl config use-context" to select a different one',
        );
      }
      removeEntry(file.value, section, name);
      await writeConfig(file);
      session.print(`deleted ${word} ${name} from ${file.path}`);
    },
  });
}
