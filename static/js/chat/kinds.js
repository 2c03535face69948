// Kinds of files: their icons and words, and which of them a model reads.

export const ICONS = { image: "image", document: "file-text", audio: "audio-lines", video: "video" };
const MANY = { image: "images", document: "PDFs", audio: "sounds", video: "videos" };
const ACCEPTED = {
  text: "text/*,.md,.csv,.json,.txt,.log",
  image: "image/png,image/jpeg,image/gif,image/webp",
  document: "application/pdf",
  audio: "audio/*",
  video: "video/mp4,video/webm,video/quicktime",
};

/** Text files are read as text, which every model can. */
export const isText = (mediaType) => mediaType.startsWith("text/") || mediaType === "application/json";

/** What the server told of a file counts; before it has, what the browser takes it for. */
export function kindOf(mediaType) {
  if (isText(mediaType)) return "document";
  const family = mediaType.split("/", 1)[0];
  return family in MANY ? family : "document";
}

const listed = (words) => (words.length > 1 ? `${words.slice(0, -1).join(", ")} and ${words.at(-1)}` : words[0]);

/** The kinds a model reads beside text, or null where nobody knows. */
const mediaOf = (model) => model?.capabilities?.inputs?.filter((kind) => kind in MANY) ?? null;

export const reads = (model, { kind, media_type: mediaType }) => isText(mediaType) || !mediaOf(model) || mediaOf(model).includes(kind);

/** For the file dialog. */
export const acceptedBy = (model) => ["text", ...(mediaOf(model) ?? Object.keys(MANY))].map((kind) => ACCEPTED[kind]).join(",");

/** What the attach button says of this model; `name` is how the page calls it. */
export function readsInWords(model, name) {
  const kinds = mediaOf(model);
  if (!kinds) return "Attach files";
  if (!kinds.length) return `Attach text files. ${name} reads no images, PDFs or other media: choose another model for those`;
  return `Attach ${listed([...kinds.map((kind) => MANY[kind]), "text files"])}`;
}

export const cannotRead = (name, kinds) => `${name} cannot read ${listed([...new Set(kinds)].map((kind) => MANY[kind]))}.`;
