// The section in which one draws: see nas.report.trying.

const LARGEST = 800; // pixels along the longer side of a picture, which are more than any network here takes
const MOST_SHOWN = 5, PEN = 0.075, WAIT = 120;

function tryOut(section) {
  const { network: data, takes, classes } = JSON.parse(document.getElementById("network").textContent);
  const network = networkOf(data), [drawing, seen] = ["drawing", "seen"].map((id) => document.getElementById(id));
  const dark = takes.mean[0] < 0.5, [ground, ink] = dark ? ["#000", "#fff"] : ["#fff", "#000"];
  const element = (id) => document.getElementById(id);

  function show(bytes) {
    const n = takes.width * takes.height, image = new ImageData(takes.width, takes.height);
    for (let i = 0; i < n; i++) {
      const colour = takes.channels === 3 ? [bytes[i], bytes[i + n], bytes[i + 2 * n]] : Array(3).fill(bytes[i]);
      image.data.set([...colour, 255], 4 * i);
    }
    seen.getContext("2d").putImageData(image, 0, 0);
  }

  function classify(pixels) {
    const { bytes, inverted, centred } = pictureFor(takes, pixels), scores = network(bytes);
    show(bytes);
    const powers = [...scores].map((score) => Math.exp(score - Math.max(...scores)));
    const sum = powers.reduce((a, b) => a + b);
    const ranked = powers.map((power, i) => [classes[i], power / sum]).sort((a, b) => b[1] - a[1]);
    const done = [inverted && "inverted", centred && "cropped, scaled and centred by mass"].filter(Boolean);
    element("done").textContent = ["Given to the network", ...(done.length ? [done.join(", ")] : [])].join(": ");
    element("answer").textContent = ranked[0][0];
    element("shares").replaceChildren(...ranked.slice(0, MOST_SHOWN).map(([name, share]) => {
      const row = document.createElement("tr"), [head, cell, bar] = ["th", "td", "span"].map((tag) => document.createElement(tag));
      head.textContent = name;
      head.scope = "row";
      bar.className = "bar";
      bar.style.setProperty("--share", share.toFixed(3));
      cell.append(bar, `${(100 * share).toFixed(2)} %`);
      row.append(head, cell);
      return row;
    }));
  }

  async function take(file) {
    let bitmap;
    try {
      bitmap = await createImageBitmap(file);
    } catch {
      element("answer").textContent = "That file is no picture that this browser can read.";
      element("shares").replaceChildren();
      return;
    }
    const factor = Math.min(1, LARGEST / Math.max(bitmap.width, bitmap.height));
    const [width, height] = [bitmap.width, bitmap.height].map((size) => Math.max(1, Math.round(size * factor)));
    const context = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, 0, 0, width, height);
    classify(context.getImageData(0, 0, width, height));
  }

  element("picture").addEventListener("change", (event) => event.target.files[0] && take(event.target.files[0]));
  section.addEventListener("dragover", (event) => event.preventDefault());
  section.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
  });
  if (drawing) draw();

  function draw() {
    const context = drawing.getContext("2d", { willReadFrequently: true });
    let last = null, waiting = null;
    const clear = () => {
      context.fillStyle = ground;
      context.fillRect(0, 0, drawing.width, drawing.height);
      for (const id of ["answer", "shares"]) element(id).replaceChildren();
      seen.getContext("2d").clearRect(0, 0, seen.width, seen.height);
    };
    const look = () => {
      clearTimeout(waiting);
      waiting = null;
      classify(context.getImageData(0, 0, drawing.width, drawing.height));
    };
    const place = (event) => {
      const box = drawing.getBoundingClientRect();
      return [((event.clientX - box.x) / box.width) * drawing.width, ((event.clientY - box.y) / box.height) * drawing.height];
    };
    const line = (event) => {
      const now = place(event);
      Object.assign(context, { strokeStyle: ink, lineWidth: PEN * drawing.width, lineCap: "round", lineJoin: "round" });
      context.beginPath();
      context.moveTo(...(last ?? now));
      context.lineTo(...now);
      context.stroke();
      last = now;
      waiting ??= setTimeout(look, WAIT);
    };
    drawing.addEventListener("pointerdown", (event) => {
      drawing.setPointerCapture(event.pointerId);
      last = null;
      line(event);
    });
    drawing.addEventListener("pointermove", (event) => event.buttons && line(event));
    drawing.addEventListener("pointerup", look);
    element("clear").addEventListener("click", clear);
    clear();
  }
}

const section = document.getElementById("try");
if (section) tryOut(section);
