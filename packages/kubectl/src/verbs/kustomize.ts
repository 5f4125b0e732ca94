import { writeFile } from "node:fs/promises";
import { defineCommand } from "../command.ts";
import { Refusal } from "../failure.ts";
import { bool, slice, str } from "../flags.ts";
import { buildKustomization } from "../resource/kustomization.ts";

const flags = {
  "as-current-user": bool(),
  "enable-alpha-plugins": bool(),
  "enable-helm": bool(),
  env: slice({ short: "e" }),
  "helm-api-versions": slice(),
  "helm-command": str("helm"),
  "helm-debug": bool(),
  "helm-kube-version": str(),
  "load-restrictor": str("LoadRestrictionsRootOnly"),
  mount: slice(),
  network: bool(),
  "network-name": str("bridge"),
  output: str("", { short: "o" }),
};

/** Of transformers that are programs or containers. */
const REFUSED = ["as-current-user", "enable-alpha-plugins", "env", "mount", "network", "network-name"] as const;

export const command = defineCommand({
  usage: "DIR [flags]",
  summary: "Build a kustomization target from a directory or URL",
  flags,
  async run(session, { flags: given, changed, operands }) {
    const refused = REFUSED.find((name) => changed.has(name));
    if (refused !== undefined) throw new Refusal(`--${refused} is not supported`);
    if (operands.length > 1) throw new Refusal("specify one path to kustomization.yaml");
    const restrictor = given["load-restrictor"];
    if (restrictor !== "LoadRestrictionsRootOnly" && restrictor !== "LoadRestrictionsNone") {
      throw new Refusal(
        `illegal flag value --load-restrictor ${restrictor}; legal values: [LoadRestrictionsRootOnly LoadRestrictionsNone]`,
      );
    }
    const text = await buildKustomization(session, operands[0] ?? ".", {
      unrestricted: restrictor === "LoadRestrictionsNone",
      ...(given["enable-helm"] && {
        helm: {
          ...(changed.has("helm-command") && { command: given["helm-command"] }),
          kubeVersion: given["helm-kube-version"],
          apiVersions: given["helm-api-versions"],
          debug: given["helm-debug"],
        },
      }),
    });
    if (given.output === "") session.io.stdout.write(text);
    else await writeFile(given.output, text);
  },
});
