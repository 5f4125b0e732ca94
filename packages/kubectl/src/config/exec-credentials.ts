import { isAbsolute, join } from "node:path";
import { isObject, type Json, type JsonObject, listAt, textAt, valueAt } from "@boxship/api";
import { errorMessage, systemCode } from "@boxship/base";
import { PlainRefusal, Refusal } from "../failure.ts";
import type { Io } from "../io.ts";

const GROUP = "client.authentication.k8s.io/";
const VERSIONS = ["v1", "v1beta1"].map((version) => `${GROUP}${version}`);
const MODES = ["Never", "IfAvailable", "Always"];

/** What a user's program is asked with. */
export interface ExecRequest {
  /** The user's name, for messages. */
  readonly name: string;
  /** `user.exec` */
  readonly exec: JsonObject;
  /** As the configuration has it, with the flags over it. */
  readonly cluster: JsonObject;
  /** Of the configuration: programs that are named by a path are beside it. */
  readonly folder: string;
}

/**
 * Asks a credential plugin (`ExecCredential`) who we are.
 *
 * @returns the fields of a user: a token, or a certificate and its key
 * @throws PlainRefusal with kubectl's words for a program that is missing, fails, or answers with nothing of use
 */
export async function execCredentials(io: Io, request: ExecRequest): Promise<JsonObject> {
  const { exec } = request;
  check(request);
  const { run } = io;
  if (run === undefined) throw new Refusal("credential plugins cannot be run here");
  const command = textAt(exec, "command");
  const file = command.includes("/") && !isAbsolute(command) ? join(request.folder, command) : command;
  const env = { ...environment(exec), KUBERNETES_EXEC_INFO: JSON.stringify(info(io, request)) };
  const args = listAt(exec, "args").map((one) => textAt(one));
  let ran: Awaited<ReturnType<typeof run>>;
  try {
    ran = await run(file, args, { env, input: reads(io, exec) });
  } catch (error) {
    if (systemCode(error) === "ENOENT") throw refusal(`exec: executable ${file} not found${hint(exec)}`);
    throw refusal(`exec: ${errorMessage(error)}`);
  }
  io.stderr.write(ran.stderr);
  if (ran.status !== 0) throw refusal(`exec: executable ${file} failed with exit code ${ran.status}`);
  return userOf(exec, ran.stdout);
}

const refusal = (why: string): PlainRefusal =>
  new PlainRefusal(`Unable to connect to the server: getting credentials: ${why}`);

const reads = (io: Io, exec: JsonObject): boolean =>
  textAt(exec, "interactiveMode") !== "Never" && io.stdin.isTTY === true;

/** What a configuration must say of a program before it is run. */
function check({ exec, name }: ExecRequest): void {
  const [version, mode] = [textAt(exec, "apiVersion"), textAt(exec, "interactiveMode")];
  const needed = "to use exec authentication plugin";
  const wrong: string[] = [];
  if (textAt(exec, "command") === "") wrong.push(`command must be specified for ${name} ${needed}`);
  if (version === "") wrong.push(`apiVersion must be specified for ${name} ${needed}`);
  for (const one of listAt(exec, "env"))
    if (textAt(one, "name") === "") wrong.push(`env variable name must be specified for ${name} ${needed}`);
  // Of the older version, the default is IfAvailable.
  if (mode === "" && version !== `${GROUP}v1beta1`)
    wrong.push(`interactiveMode must be specified for ${name} ${needed}`);
  else if (mode !== "" && !MODES.includes(mode))
    wrong.push(`invalid interactiveMode for ${name}: ${JSON.stringify(mode)}`);
  if (wrong.length === 1) throw new PlainRefusal(`error: ${wrong[0]}`);
  if (wrong.length > 1)
    throw new PlainRefusal(`Error in configuration: \n${wrong.map((one) => `* ${one}`).join("\n")}`);
  if (!VERSIONS.includes(version))
    throw new PlainRefusal(
      `Unable to connect to the server: exec plugin: invalid apiVersion ${JSON.stringify(version)}`,
    );
}

function environment(exec: JsonObject): Readonly<Record<string, string>> {
  return Object.fromEntries(listAt(exec, "env").map((one) => [textAt(one, "name"), textAt(one, "value")]));
}

/** `ExecCredential.spec` */
function info(io: Io, { exec, cluster }: ExecRequest): JsonObject {
  const spec: JsonObject = {};
  if (valueAt(exec, "provideClusterInfo") === true) {
    const fields = ["server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority-data", "proxy-url"];
    const told = Object.fromEntries(
      fields.map((field) => [field, cluster[field]]).filter(([, value]) => value !== undefined && value !== ""),
    ) as JsonObject;
    const extension = listAt(cluster, "extensions").find((one) => textAt(one, "name") === `${GROUP}exec`);
    const config = valueAt(extension, "extension");
    spec["cluster"] = { ...told, config: config ?? null };
  }
  return {
    kind: "ExecCredential",
    apiVersion: textAt(exec, "apiVersion"),
    spec: { ...spec, interactive: reads(io, exec) },
  };
}

function userOf(exec: JsonObject, text: string): JsonObject {
  let answer: Json;
  try {
    answer = JSON.parse(text) as Json;
  } catch (error) {
    throw refusal(`decoding stdout: ${errorMessage(error)}`);
  }
  const [wanted, version] = [textAt(exec, "apiVersion"), textAt(answer, "apiVersion")];
  if (textAt(answer, "kind") !== "ExecCredential")
    throw refusal(`decoding stdout: no kind "${textAt(answer, "kind")}" is registered for version "${version}"`);
  if (version !== wanted)
    throw refusal(`exec plugin is configured to use API version ${wanted}, plugin returned version ${version}`);
  const status = valueAt(answer, "status");
  if (!isObject(status)) throw refusal("exec plugin didn't return a status field");
  const [token, certificate, key] = ["token", "clientCertificateData", "clientKeyData"].map((field) =>
    textAt(status, field),
  ) as [string, string, string];
  if (token === "" && certificate === "" && key === "")
    throw refusal("exec plugin didn't return a token or cert/key pair");
  if ((certificate === "") !== (key === "")) throw refusal("exec plugin returned only certificate or key, not both");
  const base64 = (pem: string): string => Buffer.from(pem).toString("base64");
  return {
    ...(token === "" ? {} : { token }),
    ...(certificate === "" ? {} : { "client-certificate-data": base64(certificate), "client-key-data": base64(key) }),
  };
}

function hint(exec: JsonObject): string {
  const text = textAt(exec, "installHint");
  return `

It looks like you are trying to use a client-go credential plugin that is not installed.

To learn more about this feature, consult the documentation available at:
      https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins${text === "" ? "" : `\n\n${text}`}`;
}
