import { dirname } from "node:path";
import { NotFound } from "@boxship/base/errors";
import { defineCommand } from "../command.ts";
import { repositoryPlaces } from "../repository/places.ts";

export const command = defineCommand({
  usage: "[NAME] [flags]",
  summary: "Show the places and settings that are used",
  operands: { min: 0, max: 1 },
  flags: {},
  async run(surroundings, { flags, operands }) {
    const { file, cache } = repositoryPlaces(flags, surroundings);
    const { env } = surroundings.io;
    const all: Readonly<Record<string, string>> = {
      HELM_CACHE_HOME: dirname(cache),
      HELM_CONFIG_HOME: dirname(file),
      HELM_DRIVER: env["HELM_DRIVER"] ?? "secret",
      HELM_KUBEAPISERVER: flags["kube-apiserver"] || (env["HELM_KUBEAPISERVER"] ?? ""),
      HELM_KUBECONTEXT: flags["kube-context"] || (env["HELM_KUBECONTEXT"] ?? ""),
      HELM_NAMESPACE: await surroundings.namespace().catch(() => "default"),
      HELM_REPOSITORY_CACHE: cache,
      HELM_REPOSITORY_CONFIG: file,
    };
    const [name] = operands;
    if (name === undefined) {
      for (const [key, value] of Object.entries(all)) surroundings.print(`${key}=${JSON.stringify(value)}`);
    } else if (Object.hasOwn(all, name)) surroundings.print(all[name] ?? "");
    else throw new NotFound(`there is no setting ${name}`);
  },
});
