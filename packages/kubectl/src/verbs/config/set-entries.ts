import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { type JsonObject, textAt } from "@boxship/api";
import { defineCommand } from "../../command.ts";
import { editable, hasEntry, setEntry, writeConfig } from "../../config/edit-config.ts";
import type { Section } from "../../config/kubeconfig.ts";
import { PlainRefusal, Refusal } from "../../failure.ts";
import { array, bool, str } from "../../flags.ts";
import type { Session } from "../../session.ts";

/** Sets texts in an entry; what was given empty goes. */
async function change(
  session: Session,
  section: Section,
  name: string,
  values: Readonly<Record<string, string | boolean | undefined>>,
): Promise<boolean> {
  const file = await editable(session, hasEntry(section, name));
  const existed = hasEntry(section, name)(file.value);
  setEntry(file.value, section, name, (entry) => {
    for (const [field, value] of Object.entries(values)) {
      if (value === undefined) continue;
      if (value === "" || value === false) delete entry[field];
      else entry[field] = value;
    }
  });
  await writeConfig(file);
  return existed;
}

const given = <T>(changed: ReadonlySet<string>, flag: string, value: T): T | undefined =>
  changed.has(flag) ? value : undefined;

async function embedded(path: string): Promise<string> {
  return (await readFile(path)).toString("base64");
}

export const setContext = defineCommand({
  usage: "[NAME | --current] [--cluster=cluster_nickname] [--user=user_nickname] [--namespace=namespace]",
  summary: "Set a context entry in kubeconfig",
  flags: { current: bool() },
  async run(session, { flags, changed, operands }) {
    const [name = ""] = operands;
    if (operands.length > 1) throw new Refusal(`Unexpected args: [${operands.join(" ")}]`);
    if (name === "" && !flags.current) throw new Refusal("you must specify a non-empty context name or --current");
    if (name !== "" && flags.current) throw new Refusal("you cannot specify both a context name and --current");
    const chosen = flags.current ? textAt(await session.config(), "current-context") : name;
    if (chosen === "") throw new Refusal("no current context is set");
    const { cluster, user, namespace } = session.flags;
    const existed = await change(session, "contexts", chosen, {
      cluster: given(changed, "cluster", cluster),
      user: given(changed, "user", user),
      namespace: given(changed, "namespace", namespace),
    });
    session.print(`Context ${JSON.stringify(chosen)} ${existed ? "modified" : "created"}.`);
  },
});

export const setCluster = defineCommand({
  usage:
    "NAME [--server=server] [--certificate-authority=path/to/certificate/authority] [--insecure-skip-tls-verify=true] [--tls-server-name=example.com]",
  summary: "Set a cluster entry in kubeconfig",
  flags: { "embed-certs": bool(), "proxy-url": str() },
  async run(session, { flags, changed, operands }) {
    const [name = ""] = operands;
    if (operands.length !== 1) throw new Refusal(`Unexpected args: [${operands.join(" ")}]`);
    const { server, "certificate-authority": authority } = session.flags;
    const insecure = given(changed, "insecure-skip-tls-verify", session.flags["insecure-skip-tls-verify"]);
    if (insecure === true && authority !== "") {
      throw new Refusal("you cannot specify a certificate authority and insecure mode at the same time");
    }
    const embed = flags["embed-certs"] && authority !== "";
    const path = authority === "" ? authority : resolve(authority);
    await change(session, "clusters", name, {
      server: given(changed, "server", server),
      "tls-server-name": given(changed, "tls-server-name", session.flags["tls-server-name"]),
      "proxy-url": given(changed, "proxy-url", flags["proxy-url"]),
      "insecure-skip-tls-verify": authority === "" ? insecure : "",
      "certificate-authority": insecure === true || embed ? "" : given(changed, "certificate-authority", path),
      "certificate-authority-data": embed
        ? await embedded(authority)
        : insecure === true || authority !== ""
          ? ""
          : undefined,
    });
    session.print(`Cluster ${JSON.stringify(name)} set.`);
  },
});

export const setCredentials = defineCommand({
  usage: "NAME [--client-certificate=path/to/certfile] [--client-key=path/to/keyfile] [--token=bearer_token]",
  summary: "Set a user entry in kubeconfig",
  flags: {
    "embed-certs": bool(),
    "auth-provider": str(),
    "auth-provider-arg": array(),
    "exec-command": str(),
    "exec-api-version": str(),
    "exec-arg": array(),
    "exec-env": array(),
    username: str(),
    password: str(),
  },
  async run(session, { flags, changed, operands }) {
    const [name = ""] = operands;
    if (operands.length !== 1) throw new Refusal(`Unexpected args: [${operands.join(" ")}]`);
    const refused = ["auth-provider", "exec-command", "exec-api-version"].find((flag) => changed.has(flag));
    if (refused !== undefined) throw new Refusal(`--${refused} is not supported: use a certificate or a token`);
    const { token, "client-certificate": certificate, "client-key": key } = session.flags;
    if (token !== "" && (flags.username !== "" || flags.password !== "")) {
      throw new Refusal(
        "you cannot specify more than one authentication method at the same time: --token, --username/--password",
      );
    }
    const embed = flags["embed-certs"];
    const file = (flag: string, path: string) =>
      embed ? (path === "" ? undefined : "") : given(changed, flag, path === "" ? "" : resolve(path));
    const data = async (path: string) => (path === "" ? undefined : embed ? await embedded(path) : "");
    await change(session, "users", name, {
      token: given(changed, "token", token),
      username: given(changed, "username", flags.username),
      password: given(changed, "password", flags.password),
      "client-certificate": file("client-certificate", certificate),
      "client-certificate-data": await data(certificate),
      "client-key": file("client-key", key),
      "client-key-data": await data(key),
    });
    session.print(`User ${JSON.stringify(name)} set.`);
  },
});

/** The steps of `clusters.NAME.server`; names may have dots where the field after them is known. */
function parseProperty(property: string): readonly string[] {
  const [first = "", ...rest] = property.split(".");
  if (!["clusters", "contexts", "users"].includes(first) || rest.length <= 2) return property.split(".");
  return [first, rest.slice(0, -1).join("."), rest.at(-1) ?? ""];
}

async function setProperty(session: Session, property: string, value: string | undefined): Promise<void> {
  const [first = "", name, field] = parseProperty(property);
  if (first === "current-context") {
    const file = await editable(session, () => false);
    file.value["current-context"] = value ?? "";
    return await writeConfig(file);
  }
  if ((first !== "clusters" && first !== "contexts" && first !== "users") || name === undefined) {
    throw new Refusal(`unrecognized property: ${property}`);
  }
  const file = await editable(session, hasEntry(first, name));
  if (field === undefined) {
    if (value !== undefined) throw new Refusal(`cannot set ${property}: it is a map`);
    const list = file.value[first];
    file.value[first] = (Array.isArray(list) ? list : []).filter((one) => textAt(one, "name") !== name);
  } else if (value !== undefined || hasEntry(first, name)(file.value)) {
    setEntry(file.value, first, name, (entry: JsonObject) => {
      if (value === undefined) delete entry[field];
      else entry[field] = value === "true" || value === "false" ? value === "true" : value;
    });
  } else throw new Refusal(`current map key \`${name}\` is invalid`);
  await writeConfig(file);
}

export const set = defineCommand({
  usage: "PROPERTY_NAME PROPERTY_VALUE",
  summary: "Set an individual value in a kubeconfig file",
  flags: { "set-raw-bytes": bool() },
  async run(session, { flags, operands }) {
    const [property = "", value = ""] = operands;
    if (operands.length !== 2) throw new PlainRefusal(`error: Unexpected args: [${operands.join(" ")}]`);
    const raw = flags["set-raw-bytes"] && property.endsWith("-data");
    await setProperty(session, property, raw ? Buffer.from(value).toString("base64") : value);
    session.print(`Property ${JSON.stringify(property)} set.`);
  },
});

export const unset = defineCommand({
  usage: "PROPERTY_NAME",
  summary: "Unset an individual value in a kubeconfig file",
  flags: {},
  async run(session, { operands }) {
    const [property = ""] = operands;
    if (operands.length !== 1) throw new PlainRefusal(`error: Unexpected args: [${operands.join(" ")}]`);
    await setProperty(session, property, undefined);
    session.print(`Property ${JSON.stringify(property)} unset.`);
  },
});
