import { InvalidArgument } from "@boxship/base";

const COMPONENT = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const REPOSITORY = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`);
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const LONGEST = 255;

/** @throws InvalidArgument unless `name` is a repository's (OCI distribution spec 1.1, "Pulling manifests") */
export function checkRepository(name: string): string {
  if (name.length <= LONGEST && REPOSITORY.test(name)) return name;
  throw new InvalidArgument(`invalid repository name ${JSON.stringify(name)}`, {
    subject: { kind: "repository", name },
    remedy: "use lower-case letters, digits and single separators in components between slashes",
  });
}

/** @throws InvalidArgument unless `tag` is one */
export function checkTag(tag: string): string {
  if (TAG.test(tag)) return tag;
  throw new InvalidArgument(`invalid tag ${JSON.stringify(tag)}`, { subject: { kind: "tag", name: tag } });
}
