import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/**
 * A tree of files as text, one line each: type and mode, owner, size or target, a digest of the content, hard links.
 * Without times.
 */
export function listTree(root: string): readonly string[] {
  const lines: string[] = [];
  const inodes = new Map<number, string>();
  const visit = (path: string): void => {
    for (const name of readdirSync(join(root, path)).sort()) {
      const inner = path === "" ? name : `${path}/${name}`;
      const status = lstatSync(join(root, inner));
      const owner = `${status.uid}:${status.gid}`;
      const mode = (status.mode & 0o7777).toString(8).padStart(4, "0");
      if (status.isDirectory()) {
        lines.push(`${inner}/ ${mode} ${owner}`);
        visit(inner);
      } else if (status.isSymbolicLink()) lines.push(`${inner} -> ${readlinkSync(join(root, inner))} ${owner}`);
      else if (status.isFile()) lines.push(`${inner} ${mode} ${owner} ${contentOf(status.ino, status.nlink, inner)}`);
      else lines.push(`${inner} ${(status.mode & 0o170000).toString(8)} ${mode} ${owner}`);
    }
  };
  const contentOf = (inode: number, links: number, path: string): string => {
    const first = inodes.get(inode);
    if (links > 1 && first !== undefined) return `= ${first}`;
    inodes.set(inode, path);
    const bytes = readFileSync(join(root, path));
    if (bytes.length < 200 && !bytes.includes(0)) return JSON.stringify(bytes.toString());
    return `${bytes.length} ${createHash("sha256").update(bytes).digest("hex").slice(0, 16)}`;
  };
  visit("");
  return lines;
}
