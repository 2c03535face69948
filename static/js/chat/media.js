// Media of messages and tool results: images to look at, sounds and videos to play, documents to open. All from this server.

import { h, icon } from "../dom.js";
import { fileSize } from "../format.js";
import { ICONS, isText } from "./kinds.js";

const LARGEST = 320;

export const isMedia = (part) => part.type in ICONS;
export const contentUrl = (id) => `/api/attachments/${encodeURIComponent(id)}/content`;

const nameOf = (part) => part.name || part.type;

/** The size it is shown at, known before it is loaded: the log does not jump. */
function fitted({ width, height }) {
  if (!width || !height) return {};
  const scale = Math.min(1, LARGEST / width, LARGEST / height);
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

function gone(part) {
  return h("span", { class: "chip muted" }, icon(ICONS[part.type]), " ", h("span", { class: "clip" }, nameOf(part)), " is no longer there");
}

function imageView(part) {
  const url = contentUrl(part.attachment);
  const image = h("img", { src: url, alt: nameOf(part), loading: "lazy", decoding: "async", ...fitted(part) });
  const link = h("a", { class: "shot", href: url, target: "_blank", rel: "noopener" }, image);
  image.addEventListener("error", () => link.replaceWith(gone(part)), { once: true });
  return link;
}

function playerView(part) {
  const player = h(part.type, { src: contentUrl(part.attachment), controls: true, preload: "none", "aria-label": nameOf(part) });
  return h("figure", { class: "player" }, h("figcaption", { class: "tiny muted clip" }, `${nameOf(part)} · ${fileSize(part.size)}`), player);
}

function documentView(part) {
  const opens = isText(part.media_type) ? { download: nameOf(part) } : { target: "_blank", rel: "noopener" };
  return h(
    "a",
    { class: "chip", href: contentUrl(part.attachment), ...opens },
    icon(ICONS.document),
    h("span", { class: "clip" }, nameOf(part)),
    h("span", { class: "muted num" }, fileSize(part.size)),
  );
}

function view(part) {
  if (!part.attachment) return h("span", { class: "chip" }, icon(ICONS[part.type]), ` ${nameOf(part)}`); // of before attachments: its bytes lie in the message
  if (part.type === "image") return imageView(part);
  return part.type === "document" ? documentView(part) : playerView(part);
}

/** A list of media, or null where there are none. */
export function mediaList(parts, label) {
  const media = (parts ?? []).filter(isMedia);
  return media.length ? h("ul", { class: "media", "aria-label": label }, media.map((part) => h("li", {}, view(part)))) : null;
}
