import { rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { AlreadyExists, FailedPrecondition, InvalidArgument, NotFound } from "@boxship/base/errors";
import { defineCommand } from "../command.ts";
import { bool, duration, format, str } from "../flags.ts";
import { passwordOf } from "../password.ts";
import { printAs, rowsText, tableText } from "../print-release.ts";
import { repositoryPlaces } from "../repository/places.ts";
import { readRepositories, repositoryOf, writeRepositories } from "../repository/repository-file.ts";
import { updateIndex } from "../repository/repository-index.ts";

export const add = defineCommand({
  usage: "NAME URL [flags]",
  summary: "Note a chart repository",
  operands: { min: 2, max: 2 },
  flags: {
    "allow-deprecated-repos": bool(),
    "ca-file": str(),
    "cert-file": str(),
    "force-update": bool(),
    "insecure-skip-tls-verify": bool(),
    "key-file": str(),
    "no-update": bool(),
    "pass-credentials": bool(),
    password: str(),
    "password-stdin": bool(),
    timeout: duration("2m0s"),
    username: str(),
  },
  async run(surroundings, { flags, operands }) {
    const [name = "", url = ""] = operands;
    if (name.includes("/"))
      throw new InvalidArgument(`repository name (${name}) contains '/', please specify a different name without '/'`);
    if (url.startsWith("oci://"))
      throw new InvalidArgument("registries are not noted as repositories", {
        remedy: "name charts there as oci://REGISTRY/PATH",
      });
    const { file, cache } = repositoryPlaces(flags, surroundings);
    const all = await readRepositories(file);
    const before = all.find((one) => one.name === name);
    const password = flags["password-stdin"] ? await passwordOf(surroundings, flags) : flags.password;
    const fresh = repositoryOf({
      name,
      url,
      username: flags.username,
      password,
      caFile: flags["ca-file"] && resolve(flags["ca-file"]),
      certFile: flags["cert-file"] && resolve(flags["cert-file"]),
      keyFile: flags["key-file"] && resolve(flags["key-file"]),
      insecure_skip_tls_verify: flags["insecure-skip-tls-verify"],
      pass_credentials_all: flags["pass-credentials"],
    });
    const same = before !== undefined && isDeepStrictEqual({ ...before, raw: {} }, { ...fresh, raw: {} });
    if (same && !flags["force-update"]) {
      surroundings.print(`${JSON.stringify(name)} already exists with the same configuration, skipping`);
      return;
    }
    if (before !== undefined && !flags["force-update"]) {
      throw new AlreadyExists(`repository name (${name}) already exists, please specify a different name`, {
        remedy: "or use --force-update",
      });
    }
    await updateIndex(fresh, cache, { timeout: flags.timeout });
    await writeRepositories(file, [...all.filter((one) => one.name !== name), fresh]);
    surroundings.print(`${JSON.stringify(name)} has been added to your repositories`);
  },
});

export const list = defineCommand({
  usage: "[flags]",
  summary: "List chart repositories",
  operands: { min: 0, max: 0 },
  flags: { "no-headers": bool(), output: format },
  async run(surroundings, { flags }) {
    const all = await readRepositories(repositoryPlaces(flags, surroundings).file);
    const rows = all.map(({ name, url }) => ({ name, url }));
    if (printAs(flags.output, rows, surroundings)) return;
    if (rows.length === 0) throw new NotFound("no repositories to show");
    const cells = rows.map(({ name, url }) => [name, url]);
    surroundings.print(flags["no-headers"] ? rowsText(cells) : tableText(["NAME", "URL"], cells));
  },
});

export const remove = defineCommand({
  usage: "NAME... [flags]",
  summary: "Forget chart repositories",
  operands: { min: 1, max: 1000 },
  flags: {},
  async run(surroundings, { flags, operands }) {
    const { file, cache } = repositoryPlaces(flags, surroundings);
    let all = await readRepositories(file);
    for (const name of operands) {
      if (!all.some((one) => one.name === name)) throw new NotFound(`no repo named ${JSON.stringify(name)} found`);
      all = all.filter((one) => one.name !== name);
      await writeRepositories(file, all);
      for (const end of ["-index.yaml", "-index.yaml.etag", "-charts.txt"])
        await rm(join(cache, `${name}${end}`), { force: true });
      surroundings.print(`${JSON.stringify(name)} has been removed from your repositories`);
    }
  },
});

export const update = defineCommand({
  usage: "[NAME...] [flags]",
  summary: "Fetch what is new in chart repositories",
  operands: { min: 0, max: 1000 },
  flags: { "fail-on-repo-update-fail": bool(), timeout: duration("2m0s") },
  async run(surroundings, { flags, operands }) {
    const { file, cache } = repositoryPlaces(flags, surroundings);
    const all = await readRepositories(file);
    for (const name of operands)
      if (!all.some((one) => one.name === name))
        throw new NotFound(`no repositories found matching '${name}'. Nothing will be updated`);
    const wanted = operands.length === 0 ? all : all.filter(({ name }) => operands.includes(name));
    if (wanted.length === 0) throw new NotFound("no repositories found. You must add one before updating");
    const failed: string[] = [];
    await Promise.all(
      wanted.map(async (repository) => {
        try {
          await updateIndex(repository, cache, { timeout: flags.timeout });
          surroundings.print(
            `...Successfully got an update from the ${JSON.stringify(repository.name)} chart repository`,
          );
        } catch (error) {
          failed.push(repository.name);
          surroundings.warn(
            `...Unable to get an update from the ${JSON.stringify(repository.name)} chart repository (${repository.url}):\n\t${(error as Error).message}`,
          );
        }
      }),
    );
    if (failed.length > 0)
      throw new FailedPrecondition(`failed to update the following repositories: ${failed.join(", ")}`);
    surroundings.print("Update Complete. ⎈Happy Helming!⎈");
  },
});
