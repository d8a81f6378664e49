//! The values that the rows are made of: names of people in many scripts, as real customers have them,
//! companies, products and so on.

/// Given and family names of one country, and how a full name combines them.
#[derive(Clone, Copy)]
pub(super) struct People {
    pub(super) country: &'static str,
    pub(super) given: &'static [&'static str],
    pub(super) family: &'static [&'static str],
    pub(super) order: NameOrder,
}

#[derive(Clone, Copy)]
pub(super) enum NameOrder {
    GivenFirst,
    FamilyFirst,
    /// Family name first, without a space.
    Joined,
}

use NameOrder::{FamilyFirst, GivenFirst, Joined};

#[rustfmt::skip]
pub(super) const PEOPLE: &[People] = &[
    People { country: "US", order: GivenFirst, given: &["Alice", "Robert", "Grace", "Henry", "Nora", "Samuel"], family: &["Carter", "Walsh", "O'Neill", "Brooks", "St. John", "Young"] },
    People { country: "GB", order: GivenFirst, given: &["Emily", "Oliver", "Siân", "Callum", "Freya"], family: &["Hughes", "MacLeod", "Ashworth", "Smith-Jones", "Bell"] },
    People { country: "DE", order: GivenFirst, given: &["Jürgen", "Käthe", "Lukas", "Änne", "Sören"], family: &["Müller", "Groß", "Weiß", "von der Heide", "Schäfer"] },
    People { country: "FR", order: GivenFirst, given: &["Zoé", "François", "Hélène", "Benoît", "Maëlys"], family: &["Lefèvre", "d'Aubigné", "Garçon", "Noël", "Dupré"] },
    People { country: "ES", order: GivenFirst, given: &["Íñigo", "Begoña", "José María", "Lucía", "Álvaro"], family: &["Núñez Peña", "García Ibáñez", "Muñoz", "Etxeberria", "Güell"] },
    People { country: "BR", order: GivenFirst, given: &["João", "Conceição", "Antônia", "Luís", "Inês"], family: &["Gonçalves", "Simões", "Araújo", "da Conceição", "Magalhães"] },
    People { country: "PL", order: GivenFirst, given: &["Łukasz", "Małgorzata", "Żaneta", "Święcisław", "Zofia"], family: &["Wójcik", "Gałązka", "Dąbrowski", "Źrebiec", "Śliwa"] },
    People { country: "TR", order: GivenFirst, given: &["İrem", "Işıl", "Çağrı", "Gülşen", "Ömer"], family: &["Yıldız", "Şahin", "Öztürk", "Çelik", "Doğan"] },
    People { country: "VN", order: FamilyFirst, given: &["Thị Ánh", "Văn Đức", "Minh Tuấn", "Ngọc Hương"], family: &["Nguyễn", "Trần", "Lê", "Phạm"] },
    People { country: "IS", order: GivenFirst, given: &["Þórdís", "Ægir", "Guðrún", "Björk", "Sæmundur"], family: &["Jónsdóttir", "Þorsteinsson", "Ásgeirsdóttir", "Ólafsson"] },
    People { country: "GR", order: GivenFirst, given: &["Ελένη", "Γιώργος", "Δήμητρα", "Νίκος"], family: &["Παπαδόπουλος", "Γεωργίου", "Ζαχαρίας", "Οικονόμου"] },
    People { country: "UA", order: GivenFirst, given: &["Олена", "Їржі", "Євген", "Ганна"], family: &["Шевчук", "Коваленко", "Ґудзь", "Мар'яненко"] },
    People { country: "BG", order: GivenFirst, given: &["Цветана", "Георги", "Йордан", "Ралица"], family: &["Иванова", "Щерев", "Димитров", "Стоянова"] },
    People { country: "GE", order: GivenFirst, given: &["ნინო", "გიორგი", "თამარ", "ლევან"], family: &["ბერიძე", "მაისურაძე", "კაპანაძე", "გელაშვილი"] },
    People { country: "AM", order: GivenFirst, given: &["Անահիտ", "Արամ", "Նարե", "Տիգրան"], family: &["Պետրոսյան", "Սարգսյան", "Գրիգորյան", "Հակոբյան"] },
    People { country: "IL", order: GivenFirst, given: &["נועה", "יוסף", "תמר", "אורי"], family: &["כהן", "לוי", "פרידמן", "בן דוד"] },
    People { country: "EG", order: GivenFirst, given: &["فاطمة", "أحمد", "ليلى", "يوسف"], family: &["عبد الله", "حسن", "النجار", "المصري"] },
    People { country: "IR", order: GivenFirst, given: &["شیرین", "پژمان", "گلناز", "کیوان"], family: &["رضایی", "حسینی", "پورژند", "کریمی"] },
    People { country: "IN", order: GivenFirst, given: &["आरती", "श्रीकृष्ण", "प्रिया", "विक्रम"], family: &["शर्मा", "त्रिपाठी", "वर्मा", "मिश्रा"] },
    People { country: "IN", order: GivenFirst, given: &["கவிதா", "முருகன்", "லட்சுமி", "செல்வம்"], family: &["சுப்பிரமணியன்", "ராமசாமி", "கண்ணன்", "பாலன்"] },
    People { country: "BD", order: GivenFirst, given: &["নাসরিন", "রফিক", "শাহানা", "তানভীর"], family: &["চৌধুরী", "রহমান", "ইসলাম", "হোসেন"] },
    People { country: "TH", order: GivenFirst, given: &["สมชาย", "นิภา", "กิตติ", "พิมพ์ใจ"], family: &["แสงทอง", "วงศ์สวัสดิ์", "ศรีสุข", "บุญมา"] },
    People { country: "ET", order: GivenFirst, given: &["አበበ", "ሰላም", "ትዕግስት", "ዳዊት"], family: &["ተስፋዬ", "በቀለ", "ገብረ ማርያም", "ኃይሉ"] },
    People { country: "CN", order: Joined, given: &["伟", "晓梅", "志强", "丽华", "𠮷祥"], family: &["王", "李", "欧阳", "张"] },
    People { country: "TW", order: Joined, given: &["淑芬", "家豪", "怡君", "俊傑"], family: &["陳", "林", "張簡", "黃"] },
    People { country: "JP", order: FamilyFirst, given: &["さくら", "健太", "美咲", "ゆうこ", "ジュン"], family: &["髙橋", "渡邊", "佐々木", "小林"] },
    People { country: "KR", order: Joined, given: &["지우", "민준", "서연", "현우"], family: &["김", "이", "박", "남궁"] },
    People { country: "NG", order: GivenFirst, given: &["Adébáyọ̀", "Chiamaka", "Olúwaṣeun", "Ngọzi"], family: &["Adéyẹmí", "Okonkwọ", "Balógun", "Eze"] },
];

pub(super) const COMPANY_FIRST: &[&str] = &[
    "Northwind",
    "Blue Harbor",
    "Cedar",
    "Granite",
    "Lumen",
    "Juniper",
    "Kestrel",
    "Meridian",
    "Orchard",
    "Pebble",
    "Quartz",
    "Rowan",
    "Saffron",
    "Tidal",
    "Umber",
    "Willow",
];
pub(super) const COMPANY_SECOND: &[&str] = &[
    "Analytics",
    "Bakery",
    "Cycles",
    "Foods",
    "Freight",
    "Health",
    "Insurance",
    "Labs",
    "Media",
    "Outdoor",
    "Robotics",
    "Travel",
];
pub(super) const COMPANY_LAST: &[&str] = &["Inc.", "GmbH", "Ltd", "S.A.", "AB", "K.K."];
pub(super) const INDUSTRIES: &[&str] =
    &["Finance", "Healthcare", "Logistics", "Manufacturing", "Media", "Retail", "Software"];
pub(super) const TITLES: &[&str] =
    &["Analyst", "Buyer", "Chief of Staff", "Developer", "Director", "Office Manager", "VP Sales"];
pub(super) const TAGS: &[&str] = &["beta", "newsletter", "partner", "press", "reference", "trial"];
pub(super) const PLANS: &[(&str, f64)] =
    &[("free", 0.0), ("starter", 19.0), ("team", 49.5), ("enterprise", 499.0)];
pub(super) const PRODUCTS: &[(&str, f64)] = &[
    ("notebook", 4.25),
    ("pen set", 12.9),
    ("desk lamp", 39.0),
    ("monitor arm", 84.5),
    ("office chair", 249.0),
    ("cable kit", 17.75),
    ("whiteboard", 61.2),
    ("headset", 119.99),
];
pub(super) const ORDER_STATUSES: &[&str] = &["paid", "paid", "paid", "paid", "pending", "refunded"];
pub(super) const CURRENCIES: &[&str] = &["USD", "USD", "EUR", "GBP", "JPY"];
