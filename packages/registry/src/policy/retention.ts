import type { Digest } from "@boxship/oci";
import type { Store } from "@boxship/store";
import { anyOf, repositoryPattern, tagPattern } from "../access/patterns.ts";
import { eachItem, repositoryOfKey } from "../store/index-walk.ts";
import { decodeRecord, type TagRecord } from "../store/records.ts";

/** Which tags stay. A tag that the rule is about goes unless `keep` or `within` holds it. */
export interface RetentionRule {
  /** Patterns of repositories. */
  readonly repositories: readonly string[];
  /** Patterns of tags that the rule is about, `*` for anything. @default all */
  readonly tags?: readonly string[];
  /** So many that were pushed last stay. @default none for their number */
  readonly keep?: number;
  /** Those pushed within so many milliseconds stay. @default none for their age */
  readonly within?: number;
}

/** A tag that goes. */
export interface Outdated {
  readonly repository: string;
  readonly tag: string;
  readonly digest: Digest;
  /** Milliseconds since the epoch. */
  readonly pushedAt: number;
  readonly modRevision: number;
  readonly key: string;
}

/** @throws InvalidArgument for a pattern that is none */
export function compileRetention(rules: readonly RetentionRule[]) {
  const compiled = rules.map((rule) => ({
    rule,
    repository: anyOf(rule.repositories.map(repositoryPattern)),
    tag: rule.tags === undefined ? () => true : anyOf(rule.tags.map(tagPattern)),
  }));

  /** Tags that go now, by the first rule that is about each. */
  return async (index: Store, now: number): Promise<readonly Outdated[]> => {
    const groups = new Map<string, Outdated[]>();
    for await (const item of eachItem(index, "tag/")) {
      const repository = repositoryOfKey(item.key);
      const tag = item.key.slice(item.key.lastIndexOf("@") + 1);
      const number = compiled.findIndex((each) => each.repository(repository) && each.tag(tag));
      if (number === -1) continue;
      const { digest, pushedAt } = decodeRecord(item) as TagRecord;
      const group = groups.get(`${number} ${repository}`) ?? [];
      group.push({ repository, tag, digest, pushedAt, modRevision: item.modRevision, key: item.key });
      groups.set(`${number} ${repository}`, group);
    }
    return [...groups].flatMap(([name, tags]) => {
      const { keep = 0, within = 0 } = compiled[Number(name.split(" ", 1)[0])]?.rule ?? {};
      const newest = tags.toSorted((a, b) => b.pushedAt - a.pushedAt || (a.tag < b.tag ? 1 : -1));
      return newest.slice(keep).filter(({ pushedAt }) => pushedAt <= now - within);
    });
  };
}
