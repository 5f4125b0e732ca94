import type { EngineApi, ImageView } from "@boxship/engine";
import { parseUnixSeconds } from "../../format/time.ts";
import type { Filters } from "../../http/filters.ts";
import { untilTime } from "../../http/until.ts";
import { referenceMatcher } from "./reference-pattern.ts";

/** Filters of `GET /images/json`. */
export const IMAGE_FILTERS = ["before", "dangling", "label", "label!", "reference", "since", "until"] as const;

/** The images that the filters want. With `reference` an image shows only the names that match. */
export async function filterImages(
  engine: EngineApi,
  images: readonly ImageView[],
  filters: Filters,
  now: number,
): Promise<readonly ImageView[]> {
  if (filters.isEmpty) return images;
  const dangling = filters.flag("dangling");
  const until = untilTime(filters, now);
  const createdOf = async (ref: string) => parseUnixSeconds((await engine.images.get(ref)).created);
  const before = await Promise.all(filters.get("before").map(createdOf));
  const since = await Promise.all(filters.get("since").map(createdOf));
  const wanted = images.filter((image) => {
    const created = parseUnixSeconds(image.created);
    return (
      (dangling === undefined || isDangling(image) === dangling) &&
      filters.labels(image.config.labels ?? {}) &&
      before.every((limit) => created < limit) &&
      since.every((limit) => created > limit) &&
      (until === undefined || created * 1000 < until)
    );
  });
  return filters.has("reference") ? withMatchingNames(wanted, filters.get("reference")) : wanted;
}

/** No tag and no repository names it. */
export function isDangling(image: ImageView): boolean {
  return image.repoTags.length === 0 && image.repoDigests.length === 0;
}

function withMatchingNames(images: readonly ImageView[], patterns: readonly string[]): readonly ImageView[] {
  const matchers = patterns.map(referenceMatcher);
  const matches = (name: string) => matchers.some((matcher) => matcher(name));
  return images.flatMap((image) => {
    const repoTags = image.repoTags.filter(matches);
    const repoDigests = image.repoDigests.filter(matches);
    return repoTags.length === 0 && repoDigests.length === 0 ? [] : [{ ...image, repoTags, repoDigests }];
  });
}
