import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { errorMessage, InvalidArgument } from "@boxship/base";
import { load } from "js-yaml";
import type { S3Options } from "../blobs/s3/s3-store.ts";
import type { WebhookOptions } from "../notify/webhooks.ts";
import type { QuotaRule } from "../policy/quotas.ts";
import type { RetentionRule } from "../policy/retention.ts";
import type { UpstreamOptions } from "../upstream/upstream.ts";
import { Setting } from "./checks.ts";

/** What the configuration file of a registry says; every part may be left out. */
export interface RegistryFile {
  readonly quotas?: readonly QuotaRule[];
  readonly retention?: readonly RetentionRule[];
  readonly webhooks?: readonly WebhookOptions[];
  readonly upstreams?: readonly UpstreamOptions[];
  /** Where blobs are. */
  readonly storage?: { readonly s3: S3Options };
}

/**
 * Reads the YAML file of a registry's configuration; `docs/registry.md` describes it.
 *
 * @throws InvalidArgument naming the file and the place
 */
export function parseRegistryFile(source: string, file: string): RegistryFile {
  let parsed: unknown;
  try {
    // A file of comments alone is no document, and no mistake.
    parsed = source.replace(/^\s*(#.*)?$/gm, "").trim() === "" ? {} : (load(source) ?? {});
  } catch (error) {
    throw new InvalidArgument(`${file} is not valid YAML: ${errorMessage(error)}`, { cause: error });
  }
  const all = new Setting(parsed, "the file", file).fields("quotas", "retention", "webhooks", "upstreams", "storage");
  return compact({
    quotas: all.quotas.optional((list) => list.list(readQuota)),
    retention: all.retention.optional((list) => list.list(readRetention)),
    webhooks: all.webhooks.optional((list) => list.list(readWebhook)),
    storage: all.storage.optional((storage) => ({ s3: readS3(storage.fields("s3").s3, file) })),
    upstreams: all.upstreams.optional((list) => list.list((each) => readUpstream(each, file))),
  });
}

/** Without the fields that are undefined. */
function compact<T extends object>(fields: T): { readonly [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}

const texts = (setting: Setting): readonly string[] => setting.list((each) => each.text());

function readQuota(setting: Setting): QuotaRule {
  const { repositories, size, each } = setting.fields("repositories", "size", "each");
  return { repositories: texts(repositories), size: size.size(), each: each.optional((flag) => flag.flag()) ?? false };
}

function readRetention(setting: Setting): RetentionRule {
  const fields = setting.fields("repositories", "tags", "keep", "within");
  const rule = {
    repositories: texts(fields.repositories),
    ...compact({
      tags: fields.tags.optional(texts),
      keep: fields.keep.optional((count) => count.count()),
      within: fields.within.optional((time) => time.duration()),
    }),
  };
  if (rule.keep === undefined && rule.within === undefined) setting.fail("given keep, within, or both");
  return rule;
}

function readWebhook(setting: Setting): WebhookOptions {
  const fields = setting.fields("name", "url", "secret", "events", "repositories", "headers", "giveUpAfter");
  const url = fields.url.text();
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) fields.url.fail("an address of http or https");
  return {
    name: fields.name.text(),
    url,
    ...compact({
      secret: fields.secret.optional((text) => text.text()),
      events: fields.events.optional((list) => list.list((event) => event.choice("push", "pull", "mount", "delete"))),
      repositories: fields.repositories.optional(texts),
      headers: fields.headers.optional((map) =>
        Object.fromEntries(map.entries().map(([name, value]) => [name, value.text()])),
      ),
      giveUpAfter: fields.giveUpAfter.optional((time) => time.duration()),
    }),
  };
}

function readUpstream(setting: Setting, file: string): UpstreamOptions {
  const fields = setting.fields(
    ...([
      "prefix",
      "registry",
      "username",
      "password",
      "passwordFile",
      "insecure",
      "caFile",
      "fresh",
      "stale",
    ] as const),
  );
  const prefix = fields.prefix.optional((text) => text.text()) ?? "";
  if (!/^([a-z0-9._/-]*[a-z0-9])?$/.test(prefix)) fields.prefix.fail("the beginning of repositories' names");
  const contentOf = (path: Setting): string => readBeside(path, file);
  const username = fields.username.optional((text) => text.text());
  const password =
    fields.password.optional((text) => text.text()) ?? fields.passwordFile.optional(contentOf)?.trimEnd();
  if ((username === undefined) !== (password === undefined)) fields.username.fail("given together with a password");
  return {
    prefix,
    registry: fields.registry.text(),
    ...compact({
      credentials: username === undefined || password === undefined ? undefined : { username, password },
      insecure: fields.insecure.optional((flag) => flag.flag()),
      ca: fields.caFile.optional(contentOf),
      fresh: fields.fresh.optional((time) => time.duration()),
      stale: fields.stale.optional((time) => time.duration()),
    }),
  };
}

function readS3(setting: Setting, file: string): S3Options {
  const fields = setting.fields(
    ...(["endpoint", "region", "accessKeyId", "secretAccessKey", "secretAccessKeyFile", "prefix"] as const),
  );
  const endpoint = fields.endpoint.text();
  if (!/^https?:\/\/[^/]+\/.+/.test(endpoint)) fields.endpoint.fail("an address with the bucket: https://HOST/BUCKET");
  const accessKeyId = fields.accessKeyId.optional((text) => text.text());
  const secretAccessKey =
    fields.secretAccessKeyFile.optional((path) => readBeside(path, file).trimEnd()) ??
    fields.secretAccessKey.optional((text) => text.text());
  if ((accessKeyId === undefined) !== (secretAccessKey === undefined)) {
    fields.accessKeyId.fail("given together with a secretAccessKey, or both left to the environment");
  }
  return {
    endpoint,
    ...compact({
      accessKeyId,
      secretAccessKey,
      region: fields.region.optional((text) => text.text()),
      prefix: fields.prefix.optional((text) => text.text()),
    }),
  };
}

/** The text of a file that is named relative to the configuration's. */
function readBeside(path: Setting, file: string): string {
  try {
    return readFileSync(resolve(dirname(file), path.text()), "utf8");
  } catch (error) {
    return path.fail(`a file that can be read (${errorMessage(error)})`);
  }
}
