// Files dragged onto the conversation, or pasted into the message.

import { $ } from "../dom.js";

const hasFiles = (event) => event.dataTransfer?.types.includes("Files");

export function acceptFiles({ onFiles, isOpen }) {
  const area = $("#main");
  let inside = 0;
  const end = () => {
    inside = 0;
    delete area.dataset.drop;
  };
  area.addEventListener("dragenter", (event) => {
    if (!hasFiles(event) || !isOpen()) return;
    inside += 1; // each element under the pointer is entered and left
    area.dataset.drop = "";
  });
  area.addEventListener("dragleave", () => inside && --inside === 0 && end());
  area.addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  area.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    end();
    if (isOpen()) onFiles(event.dataTransfer.files);
  });
  $("#message").addEventListener("paste", (event) => {
    const { files, types } = event.clipboardData;
    if (!files.length || types.includes("text/plain")) return; // a copied table is a picture, too: its text was meant
    event.preventDefault();
    onFiles(files);
  });
}
