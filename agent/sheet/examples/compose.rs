//! Puts a sheet together out of two pictures, to look at the layout: `compose NOW.jpg BEFORE.jpg X Y W H SHEET.jpg`, the thing's box in
//! shares of the picture.

use kerbside_domain::frame::BBox;
use kerbside_sheet::sheet::Panel;
use kerbside_sheet::{Caption, Picture, PlaceText, Sheet, SheetPanels, window};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [now, before, x, y, w, h, out] = args.as_slice() else {
        return Err("usage: compose NOW.jpg BEFORE.jpg X Y W H SHEET.jpg".into());
    };
    let thing = BBox { x: x.parse()?, y: y.parse()?, w: w.parse()?, h: h.parse()? };
    let now = Picture::of_jpeg(&std::fs::read(now)?)?;
    let before = Picture::of_jpeg(&std::fs::read(before)?)?;
    let size = (now.width(), now.height());
    let (close, wide) = (window::close_up(&thing, size), window::compared(&thing, size));
    let panel =
        |picture: &Picture, window: &BBox, label: &str| -> Result<Panel, Box<dyn std::error::Error>> {
            let thing = window::in_window(&thing, window);
            Ok(Panel { picture: picture.cut(window)?, thing, label: label.to_owned() })
        };
    let enlarged = window::enlargement(&thing, size);
    let panels = SheetPanels {
        place: Panel { picture: now.clone(), thing, label: "现场 08:31:05".to_owned() },
        close_up: panel(&now, &close, &format!("特写（放大 {enlarged:.1} 倍）"))?,
        before: Some(panel(&before, &wide, "此前 08:27:59")?),
        now: panel(&now, &wide, "现在 08:31:05")?,
    };
    let caption = Caption {
        matter: "暴露垃圾".to_owned(),
        code: Some("GB/T 47678.5-2026 06010".to_owned()),
        at: "2026-11-21 08:31:05 +08:00".to_owned(),
        clock_synced: true,
        dwell_s: Some(186.0),
        address: Some("上海市闵行区莘庄镇七莘路 201 号门前，17 号灯杆".to_owned()),
        grid: Some("310112001002003".to_owned()),
        place: Some(PlaceText {
            lon_deg: 121.376_123,
            lat_deg: 31.112_457,
            accuracy_m: 2.8,
            is_measured: true,
        }),
        case_no: Some("闵城管立〔2026〕0417 号".to_owned()),
        edge_id: "mh-xz-017".to_owned(),
        camera_id: "cam1".to_owned(),
        incident: "01JD7Z6T6V8Q0M5N3K2H1G9F8E.1".to_owned(),
        masked: true,
        ..Caption::default()
    };
    let sheet = Sheet::compose(&caption, &panels)?;
    let jpeg = sheet.picture.jpeg_within(51_000)?;
    println!("{} bytes, the thing {:.0} px high", jpeg.len(), sheet.thing_height_px);
    Ok(std::fs::write(out, jpeg)?)
}
