import { isObject, type JsonObject, textAt } from "@boxship/api";
import { structJson } from "@boxship/api/go-json";
import { toYaml } from "@boxship/api/yaml";
import { defineCommand } from "../command.ts";
import { Refusal } from "../failure.ts";
import { bool, str } from "../flags.ts";
import { KUBECTL_VERSION, KUSTOMIZE_VERSION } from "../version.ts";

export const command = defineCommand({
  usage: "[options]",
  summary: "Print the client and server version information",
  flags: { client: bool(), output: str("", { short: "o" }) },
  async run(session, { flags }) {
    if (!["", "json", "yaml"].includes(flags.output)) throw new Refusal("--output must be 'yaml' or 'json'");
    const [, major = "", minor = ""] = /^v(\d+)\.(\d+)/.exec(KUBECTL_VERSION) ?? [];
    const platform = `linux/${process.arch === "x64" ? "amd64" : process.arch}`;
    const version: JsonObject = {
      clientVersion: { major, minor, gitVersion: `${KUBECTL_VERSION}+boxship`, compiler: "node", platform },
      kustomizeVersion: KUSTOMIZE_VERSION,
    };
    let failed: unknown;
    if (!flags.client) {
      try {
        version["serverVersion"] = await (await session.api()).call("GET", "/version");
      } catch (error) {
        failed = error;
      }
    }
    if (flags.output === "json") session.print(structJson(version, "  "));
    else if (flags.output === "yaml") session.print(toYaml(version));
    else {
      session.print(`Client Version: ${KUBECTL_VERSION}`);
      session.print(`Kustomize Version: ${KUSTOMIZE_VERSION}`);
      if (isObject(version["serverVersion"]))
        session.print(`Server Version: ${textAt(version["serverVersion"], "gitVersion")}`);
    }
    if (failed !== undefined) throw failed;
  },
});
